import type { Worker } from 'node:worker_threads';

/** What is known of a thread that was started while somebody watched. */
interface Watched {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  /** When it ended, on the watcher's clock. */
  exitNs: number | undefined;
}

/** Every worker thread that this thread starts from now on, to end one and to see that all end. */
export class WatchedThreads {
  readonly #now: () => number;
  readonly #threads = new Map<number, Watched>();
  readonly #listener = (worker: Worker): void => this.#watch(worker);

  /** `now` is the clock for `exitNs`, in nanoseconds. */
  constructor(now: () => number) {
    this.#now = now;
    process.on('worker', this.#listener);
  }

  /** Ends a thread in the middle of whatever it does. */
  terminate(threadId: number): void {
    void this.#threads.get(threadId)?.worker.terminate();
  }

  exitNs(threadId: number): number | undefined {
    return this.#threads.get(threadId)?.exitNs;
  }

  /** Stops watching; how many threads have not ended within `graceMs`. */
  async close(graceMs: number): Promise<number> {
    process.off('worker', this.#listener);
    const all = Promise.all([...this.#threads.values()].map(({ exited }) => exited));
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([all, grace]);
    clearTimeout(timer);
    return [...this.#threads.values()].filter(({ exitNs }) => exitNs === undefined).length;
  }

  #watch(worker: Worker): void {
    const { threadId } = worker; // It is -1 once the thread has ended.
    const exited = new Promise<void>((resolve) => {
      worker.on('exit', () => {
        this.#threads.get(threadId)!.exitNs = this.#now();
        resolve();
      });
    });
    this.#threads.set(threadId, { worker, exited, exitNs: undefined });
  }
}
