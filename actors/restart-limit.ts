/** How often devices may be started anew. */
export interface Restarts {
  /** At most so many, of all devices together, ... */
  readonly max: number;
  /** ... within so many milliseconds. */
  readonly withinMs: number;
}

/** Counts restarts: a device that keeps dying is given up instead of started for ever. */
export class RestartLimit {
  readonly #restarts: Restarts;
  /** When the last ones were, oldest first. */
  #times: number[] = [];

  constructor(restarts: Restarts) {
    this.#restarts = restarts;
  }

  /** Whether there may be one more at `nowMs`, on the monotonic clock; then it counts. */
  take(nowMs: number): boolean {
    const { max, withinMs } = this.#restarts;
    this.#times = this.#times.filter((time) => time > nowMs - withinMs);
    if (this.#times.length >= max) return false;
    this.#times.push(nowMs);
    return true;
  }
}
