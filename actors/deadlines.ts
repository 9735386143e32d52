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
  }

  /**
   * The requests that are to fail, and with what; what waits for a device that has stalled gets more time.
   * `nowMs` is on the monotonic clock; `hasSlept`: this should have been asked much earlier.
   */
  expired(nowMs: number, hasSlept: boolean): (readonly [EntryTicket, KVStoreError])[] {
    const { open, host } = this.#context;
    if (hasSlept) this.#stalls?.forgive(nowMs);
    const late = open.late(nowMs);
    const delays = this.#stalls?.delays(late, nowMs);
    for (const [ticket, untilMs] of delays ?? []) host.send(ticket.rank, ticket.delay(untilMs));
    if (delays !== undefined) open.addOld([...delays.keys()]);
    return late
      .filter((ticket) => delays?.has(ticket) !== true)
      .map((ticket) => [ticket, timeoutOf(ticket, this.#missing(ticket))]);
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
  const message = `${request.type} of rank ${rank}${where} expected to end before its deadline${who}`;
  return new KVStoreError('timeout', message, { key: entry?.key, rank: ranks[0] });
}
