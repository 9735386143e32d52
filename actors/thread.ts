import { Worker, type WorkerOptions } from 'node:worker_threads';
import { describe, KVStoreError } from '../src/core/errors.js';

/** A worker thread that somebody watches: its end is always noticed, and ends what waits for it. */
export class Thread {
  readonly worker: Worker;
  /** Resolves when the thread has ended, with the reason in words. Never rejects. */
  readonly exited: Promise<string>;
  readonly #name: string;
  #thrown: unknown;
  #keepers = 1;
  #isTerminated = false;
  #hasFailed = false;

  constructor(name: string, entry: URL, options: WorkerOptions) {
    this.#name = name;
    this.worker = new Worker(entry, { name, ...execArgv(), ...options });
    // Without a listener an error would end the whole process.
    this.worker.on('error', (error: unknown) => (this.#thrown = error));
    // Not `once` of node:events, which would reject with that error.
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        this.#hasFailed = code !== 0 && !this.#isTerminated;
        resolve(this.#thrown === undefined ? `exited with code ${code}` : describe(this.#thrown));
      });
    });
  }

  /** Whether the thread keeps the process running; counted, like the keepers of a door. */
  keepProcess(on: boolean): void {
    this.#keepers += on ? 1 : -1;
    if (this.#keepers > 0) this.worker.ref();
    else this.worker.unref();
  }

  /**
   * `waiting`, or `peer_dead` if the thread ends first: its answers would never come. Until then the
   * process keeps running.
   */
  async whileAlive<T>(waiting: Promise<T>): Promise<T> {
    this.keepProcess(true);
    const lost = this.exited.then((reason) => {
      throw new KVStoreError('peer_dead', `${this.#name} expected to be running, but it ${reason}`);
    });
    return Promise.race([waiting, lost]).finally(() => this.keepProcess(false));
  }

  /** What nobody caught on the thread, as Node copies it; undefined unless that has ended it. */
  get thrown(): unknown {
    return this.#thrown;
  }

  /** Whether the thread has ended by an error, or as one, and not because of `terminate`. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Ends the thread and waits until it is gone. */
  async terminate(): Promise<void> {
    this.#isTerminated = true;
    await this.worker.terminate();
    await this.exited;
  }

  /** Waits up to `graceMs` for the thread to end by itself, then ends it. */
  async ended(graceMs: number): Promise<void> {
    this.keepProcess(true);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), graceMs);
    });
    const first = await Promise.race([this.exited, grace]);
    clearTimeout(timer);
    if (first === 'late') await this.terminate();
  }
}

/**
 * A thread inherits Node's options; told explicitly, it would refuse those of V8. Only `--input-type`
 * must not reach it, which is for `node -e` and refuses files: then it gets none.
 */
function execArgv(): Pick<WorkerOptions, 'execArgv'> {
  const hasInputType = process.execArgv.some((option) => option.startsWith('--input-type'));
  return hasInputType ? { execArgv: [] } : {};
}
