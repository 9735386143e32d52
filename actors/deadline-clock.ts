import { monotonicMs } from '../src/core/protocol.js';

/** What has deadlines: all with one timeout, so that the oldest is always the first to come. */
interface Timed {
  /** On the monotonic clock; undefined while nothing waits. */
  readonly oldestDeadlineMs: number | undefined;
  tick(nowMs: number, hasSlept: boolean): void;
}

const longestTimerMs = 2 ** 31 - 1;

/** A timer that comes so much later shows that this thread did not run. */
const sleptMs = 1000;

/** Devices that began to wait together give up together, and are told the same. */
const slackMs = 25;

/** Ticks when a deadline has come, and sleeps until then: an idle store wakes nobody. */
export class DeadlineClock {
  readonly #timed: Timed;
  readonly #ticked: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `ticked` is called after each tick. */
  constructor(timed: Timed, ticked: () => void = () => undefined) {
    this.#timed = timed;
    this.#ticked = ticked;
  }

  /** To be called when something may have begun to wait. */
  watch(): void {
    const deadlineMs = this.#timed.oldestDeadlineMs;
    if (this.#timer !== undefined || deadlineMs === undefined || this.#stopped) return;
    const delayMs = Math.min(Math.max(deadlineMs - monotonicMs(), 0) + slackMs, longestTimerMs);
    const dueMs = monotonicMs() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const nowMs = monotonicMs();
      this.#timed.tick(nowMs, nowMs - dueMs > sleptMs);
      this.#ticked();
      this.watch();
    }, delayMs).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
