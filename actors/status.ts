import { statusCounter, statusWord } from '../src/core/layout.js';

/** The devices of a store, as `Members` counts them. */
interface Devices {
  readonly size: number;
  readonly liveCount: number;
  readonly deadCount: number;
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

  /** Whether the store's coordinator has ended, in good order or not. */
  get hasEnded(): boolean {
    return Atomics.load(this.#words, statusWord.ended) !== 0;
  }

  /** The coordinator has ended. Devices that block look now. */
  end(): void {
    Atomics.store(this.#words, statusWord.ended, 1);
    this.addPost();
  }

  publish({ size, liveCount, deadCount }: Devices, keys: number, bytes: number): void {
    Atomics.store(this.#words, statusWord.workers, size);
    Atomics.store(this.#words, statusWord.live, liveCount);
    Atomics.store(this.#words, statusWord.dead, deadCount);
    Atomics.store(this.#words, statusWord.keys, keys);
    Atomics.store(this.#counters, statusCounter.bytes, BigInt(bytes));
  }
}
