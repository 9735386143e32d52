import { KVStoreError, showKey } from '../src/core/errors.js';
import type { CoordinatorOptions, Rank } from '../src/core/protocol.js';
import type { Closing } from './closing.js';
import type { Collective } from './collective.js';
import type { CoordinatorHost } from './coordinator-needs.js';
import type { Entry, EntryTicket } from './entry.js';
import type { OpenTickets } from './open-tickets.js';
import { Stalls } from './stalls.js';

/** What deadlines need of the coordinator around them. */
export interface DeadlinesContext {
  readonly host: CoordinatorHost;
  readonly open: OpenTickets;
  readonly closing: Closing;
  readonly collective: Collective;
}

/** Live ranks that a request waits for, and the key where, if it is one. */
interface Missing {
  readonly ranks: readonly Rank[];
  readonly entry?: Entry;
}

/**
 * How often a request is put off at most, counted anew when a device comes back: a device that takes long
 * for every call is not sure to have stalled, again and again.
 */
const mostDelays = 4;

/** What becomes of requests whose deadline has passed. */
export class Deadlines {
  readonly #context: DeadlinesContext;
  /** Where the devices' pulses can be heard. */
  readonly #stalls: Stalls | undefined;

  constructor(context: DeadlinesContext, { timeoutMs }: CoordinatorOptions) {
    this.#context = context;
    const { pulseOf, stalled } = context.host;
    if (pulseOf === undefined || stalled === undefined || timeoutMs === undefined) return;
    const missing = (ticket: EntryTicket): readonly Rank[] => this.#missing(ticket).ranks;
    this.#stalls = new Stalls({ timeoutMs, pulseOf, stalled, missing });
  }

  /** A device is back, as its next incarnation. */
  returned(rank: Rank): void {
    this.#stalls?.returned(rank);
    for (const ticket of this.#context.open) ticket.delays = 0;
  }

  /**
   * The requests that are to fail, and with what; while a device has stalled, or may have, none is.
   * `nowMs` is on the monotonic clock; `hasSlept`: this should have been asked much earlier.
   */
  expired(nowMs: number, hasSlept: boolean): (readonly [EntryTicket, KVStoreError])[] {
    const { open, host } = this.#context;
    if (hasSlept) this.#stalls?.forgive(nowMs);
    const late = open.late(nowMs);
    const untilMs = late.length === 0 ? undefined : this.#stalls?.verdictMs(open, nowMs);
    const waiting = untilMs === undefined ? [] : late.filter(({ delays }) => delays < mostDelays);
    for (const ticket of waiting) host.send(ticket.rank, ticket.delay(untilMs!));
    open.addOld(waiting);
    const expired = late.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    return expired.map((ticket) => [ticket, timeoutOf(ticket, this.#missing(ticket))]);
  }

  #missing(ticket: EntryTicket): Missing {
    const { closing, collective } = this.#context;
    for (const entry of ticket.entries) {
      const late = closing.missing(entry, ticket);
      const ranks = late.length === 0 && entry.pending ? [entry.pending.runner] : late;
      if (ranks.length > 0) return { ranks, entry };
    }
    return { ranks: collective.missing(ticket) };
  }
}

/** The failure of a request whose deadline has passed: it names who is missing. */
function timeoutOf({ request, rank }: EntryTicket, { ranks, entry }: Missing): KVStoreError {
  const where = entry === undefined ? '' : ` on ${showKey(entry.key)}`;
  const who = ranks.length === 0 ? '' : `, still missing: rank ${ranks.join(', rank ')}`;
  const message = `${request.type} of rank ${rank}${where} expected to end in time, which option timeoutMs gives${who}`;
  return new KVStoreError('timeout', message, { key: entry?.key, rank: ranks[0] });
}
