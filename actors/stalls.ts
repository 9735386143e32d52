import type { Rank } from '../src/core/protocol.js';
import type { EntryTicket } from './entry.js';

/** What the watch over stalls needs of the coordinator around it. */
export interface StallsContext {
  /** How long calls may wait, in milliseconds. */
  readonly timeoutMs: number;
  /** When device `rank` last did something, on the monotonic clock; undefined if nobody knows. */
  pulseOf(rank: Rank): number | undefined;
  /** Device `rank` is to be treated as dead, because of `why`. */
  stalled(rank: Rank, why: string): void;
  /** Live ranks that a request waits for. */
  missing(ticket: EntryTicket): readonly Rank[];
}

/** A request is given more time twice at most: until it is clear that a device has stalled, and for what follows. */
const mostDelays = 2;

/**
 * Tells devices that have stalled from those that others wait for and that work. One stalls when it has
 * done nothing for as long as calls may wait: it made no call, and while one of its calls is open its
 * thread shows every now and then that it runs (`mailbox.ts`).
 */
export class Stalls {
  readonly #context: StallsContext;
  readonly #told = new Set<Rank>();
  /** What came before is forgiven: this thread did not run then, and perhaps the whole process. */
  #awakeMs = -Infinity;

  constructor(context: StallsContext) {
    this.#context = context;
  }

  /** A device is back, as its next incarnation. */
  returned(rank: Rank): void {
    this.#told.delete(rank);
  }

  /** This thread did not run for so long that the devices may not have run either. */
  forgive(nowMs: number): void {
    this.#awakeMs = nowMs;
  }

  /**
   * Which of the requests that are past their deadline get more time, and until when: who waits for a
   * device that has stalled hears what becomes of the round, and where that is not sure yet it will be.
   */
  delays(late: readonly EntryTicket[], nowMs: number): Map<EntryTicket, number> {
    const delays = new Map<EntryTicket, number>();
    const ranks = new Map<Rank, number>();
    const behind: EntryTicket[] = [];
    for (const ticket of late) {
      if (ticket.delays >= mostDelays) continue;
      const missing = this.#context.missing(ticket);
      if (missing.length === 0) behind.push(ticket);
      const untilMs = Math.max(...missing.map((rank) => this.#judge(rank, nowMs)));
      if (untilMs === -Infinity) continue;
      delays.set(ticket, untilMs);
      ranks.set(ticket.rank, Math.max(untilMs, ranks.get(ticket.rank) ?? 0));
    }
    // What waits behind them in the lanes of its own device waits for the same.
    for (const ticket of behind) {
      const untilMs = ranks.get(ticket.rank);
      if (untilMs !== undefined) delays.set(ticket, untilMs);
    }
    return delays;
  }

  /** Until when to wait for what becomes of `rank`; `-Infinity`: it works, and is only late. */
  #judge(rank: Rank, nowMs: number): number {
    const { timeoutMs, pulseOf, stalled } = this.#context;
    const pulseMs = pulseOf(rank);
    if (pulseMs === undefined) return -Infinity;
    if (this.#told.has(rank)) return nowMs + timeoutMs;
    const sinceMs = Math.max(pulseMs, this.#awakeMs);
    const idleMs = nowMs - sinceMs;
    // One that runs and waits itself shows it four times within a timeout.
    if (idleMs < timeoutMs / 2) return -Infinity;
    if (idleMs < timeoutMs) return sinceMs + timeoutMs;
    this.#told.add(rank);
    stalled(rank, `did nothing for ${Math.round(idleMs)} ms`);
    return nowMs + timeoutMs;
  }
}
