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

/** Nobody has stalled sooner, however short calls may wait: threads look at the clock every 50 ms. */
const leastMs = 200;

/**
 * Tells devices that have stalled from those that others wait for and that work. One stalls when it has
 * done nothing for as long as calls may wait: it made no call, and while one of its calls is open its
 * thread shows every now and then that it runs (`mailbox.ts`).
 */
export class Stalls {
  readonly #context: StallsContext;
  readonly #idleMs: number;
  readonly #told = new Set<Rank>();
  /** What came before is forgiven: this thread did not run then, and perhaps the whole process. */
  #awakeMs = -Infinity;
  /** Until then nobody gives up. */
  #untilMs = -Infinity;

  constructor(context: StallsContext) {
    this.#context = context;
    this.#idleMs = Math.max(context.timeoutMs, leastMs);
  }

  /** A device is back, as its next incarnation. */
  returned(rank: Rank): void {
    this.#told.delete(rank);
  }

  /** This thread did not run for so long that the devices may not have run either: all starts anew. */
  forgive(nowMs: number): void {
    this.#awakeMs = nowMs;
    this.#untilMs = nowMs + this.#context.timeoutMs;
  }

  /**
   * Until when nobody is to give up, though some of the `open` requests are past their deadline: a device
   * that one of them waits for has stalled, and what follows takes its time, or it will be sure then.
   * All of them wait, for they may wait for each other. Undefined: there is no such device.
   */
  verdictMs(open: Iterable<EntryTicket>, nowMs: number): number | undefined {
    for (const ticket of open) {
      const isLate = ticket.deadlineMs <= nowMs;
      for (const rank of this.#context.missing(ticket)) {
        const untilMs = this.#judge(rank, nowMs, isLate ? undefined : ticket.deadlineMs);
        this.#untilMs = Math.max(this.#untilMs, untilMs);
      }
    }
    return this.#untilMs > nowMs ? this.#untilMs : undefined;
  }

  /**
   * Until when to wait for what becomes of `rank`; `-Infinity`: it works, and is only late. One that
   * others have not waited for long enough, `laterMs` says till when, has its time until then.
   */
  #judge(rank: Rank, nowMs: number, laterMs: number | undefined): number {
    const { timeoutMs, pulseOf, stalled } = this.#context;
    const pulseMs = pulseOf(rank);
    if (pulseMs === undefined) return -Infinity;
    const sinceMs = Math.max(pulseMs, this.#awakeMs);
    const idleMs = nowMs - sinceMs;
    // One that runs and waits itself shows it four times within that time.
    if (idleMs < this.#idleMs / 2 && !this.#told.has(rank)) return -Infinity;
    if (laterMs !== undefined) return laterMs;
    if (idleMs < this.#idleMs) return sinceMs + this.#idleMs;
    if (!this.#told.has(rank)) {
      const idle = Math.round(idleMs);
      stalled(rank, `did nothing for ${idle} ms while others waited; timeoutMs is ${timeoutMs}`);
    }
    this.#told.add(rank);
    return nowMs + timeoutMs;
  }
}
