import { statusCounter, statusWord } from '../src/core/layout.js';

/** What a store's status block tells beside the number of updates. */
export interface Status {
  readonly workers: number;
  readonly live: number;
  readonly dead: number;
  readonly keys: number;
  readonly bytes: number;
}

/** The status block of a store: its coordinator writes, devices read without asking. */
export class StatusBlock {
  readonly #words: Int32Array;
  readonly #counters: BigInt64Array;

  constructor(block: SharedArrayBuffer) {
    this.#words = new Int32Array(block);
    this.#counters = new BigInt64Array(block);
  }

  /** One more version. */
  addUpdate(): void {
    Atomics.add(this.#counters, statusCounter.updates, 1n);
  }

  /** Wakes devices that block until something is posted; at the other side: port-link.ts. */
  addPost(): void {
    Atomics.add(this.#words, statusWord.posts, 1);
    Atomics.notify(this.#words, statusWord.posts);
  }

  publish({ workers, live, dead, keys, bytes }: Status): void {
    Atomics.store(this.#words, statusWord.workers, workers);
    Atomics.store(this.#words, statusWord.live, live);
    Atomics.store(this.#words, statusWord.dead, dead);
    Atomics.store(this.#words, statusWord.keys, keys);
    Atomics.store(this.#counters, statusCounter.bytes, BigInt(bytes));
  }
}
