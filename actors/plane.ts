import { KVStoreError } from '../src/core/errors.js';
import type { CoordinatorOptions, RequestBody } from '../src/core/protocol.js';
import { InlineCoordinator } from './inline-coordinator.js';
import type { Link } from './link.js';
import { portLink, type CoordinatorAddress } from './port-link.js';
import { Mailbox, type Done, type MailboxOptions } from './mailbox.js';
import { StatusBlock } from './status.js';
import { CoordinatorSupervisor } from './supervisor.js';

/**
 * What a store stands on, as one device sees it. This is the seam: whatever orders requests, sums
 * and updates as the reference coordinator does can take its place, and the same tests hold for it.
 */
export interface Plane {
  /** Sends a request; requests of one device take effect on a key in the order they were made. */
  request(body: RequestBody): Promise<Done>;
  /** As `request`, and blocks this thread until it is answered. Throws what `request` rejects with. */
  requestSync(body: RequestBody): Done;
  /** Ends the pins of views, see `PinnedTensor`. */
  release(pins: readonly number[]): void;
  readonly inFlight: number;
  /** Ends everything that the plane started. Unanswered requests reject with `closed`. */
  stop(): Promise<void>;
}

/** What a plane tells its store; the mailbox says when. */
export type PlaneOptions = Omit<MailboxOptions, 'onLost'>;

const lost = (): KVStoreError =>
  new KVStoreError('peer_dead', "the store's coordinator thread ended before it answered");
const closed = (): KVStoreError =>
  new KVStoreError('closed', 'the store expected to be open, but it was closed');

/** A plane whose coordinator has a thread of its own. */
export async function threadPlane(
  coordinator: CoordinatorOptions,
  options: PlaneOptions,
): Promise<Plane> {
  let mailbox: Mailbox | undefined;
  const supervisor = new CoordinatorSupervisor(coordinator, (reason) => {
    mailbox?.close(new KVStoreError('peer_dead', `the store's coordinator thread ${reason}`));
  });
  const address = await supervisor.connect(0);
  address.port.once('close', () => supervisor.awaitExit());
  mailbox = mailboxAt(address, { ...options, onLost: () => void supervisor.kill() });
  return planeOn(mailbox, () => supervisor.stop());
}

/** A plane on this thread: no hop, but the caller waits while a round is summed. */
export function inlinePlane(coordinator: CoordinatorOptions, options: PlaneOptions): Plane {
  const inline = new InlineCoordinator(coordinator);
  return planeOn(new Mailbox(inline.link(0), options), async () => inline.stop());
}

/** The plane of one of several devices on this thread, around a coordinator that outlives it. */
export function sharedPlane(link: Link, options: PlaneOptions): Plane {
  return planeOn(new Mailbox(link, options), async () => undefined);
}

/** The plane of a device thread, whose coordinator is at `address`. */
export function portPlane(address: CoordinatorAddress, options: PlaneOptions): Plane {
  const mailbox = mailboxAt(address, options);
  address.port.once('close', () => mailbox.close(lost()));
  return planeOn(mailbox, async () => undefined);
}

/** A mailbox whose blocking calls end with the coordinator at `address`. */
function mailboxAt(address: CoordinatorAddress, options: MailboxOptions): Mailbox {
  const link = portLink(address);
  const status = new StatusBlock(address.status);
  const wait = (sliceMs: number): void => {
    link.wait!(sliceMs);
    if (!status.hasEnded) return;
    link.wait!(0); // What it has answered before counts.
    mailbox.close(lost());
  };
  const mailbox = new Mailbox(link.wait === undefined ? link : { ...link, wait }, options);
  return mailbox;
}

function planeOn(mailbox: Mailbox, end: () => Promise<void>): Plane {
  return {
    request: (body) => mailbox.request(body),
    requestSync: (body) => mailbox.requestSync(body),
    release: (pins) => mailbox.release(pins),
    get inFlight() {
      return mailbox.inFlight;
    },
    stop: async () => {
      mailbox.close(closed());
      await end();
    },
  };
}
