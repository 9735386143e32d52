import { statusCounter, statusWord } from './core/layout.js';
import type { Group } from './core/keys.js';
import { arrayOf } from './core/tensor.js';
import { fewestKeys } from './recent-calls.js';

/** What `kv.stats()` tells. Bytes are those of elements. */
export interface KVStoreStats {
  /** Keys in the store. */
  readonly keys: number;
  /** Workers that take part, and workers that died. */
  readonly live: number;
  readonly dead: number;
  /** New versions made so far, over all keys. */
  readonly updates: number;
  /** Bytes the store holds: stored tensors, optimizer slots, update buffers. */
  readonly storeBytes: number;
  /** This caller's calls without an answer yet. */
  readonly inFlight: number;
  /** Tensors this caller has pushed and pulled, and their bytes. */
  readonly pushedTensors: number;
  readonly pushedBytes: number;
  readonly pulledTensors: number;
  readonly pulledBytes: number;
}

/** Counts a caller's traffic, and reads the block in which the coordinator publishes the store's. */
export class Statistics {
  readonly #words: Int32Array;
  readonly #counters: BigInt64Array;
  readonly #pushed = { tensors: 0, bytes: 0 };
  readonly #pulled = { tensors: 0, bytes: 0 };

  constructor(status: SharedArrayBuffer) {
    this.#words = new Int32Array(status);
    this.#counters = new BigInt64Array(status);
  }

  pushed(groups: readonly Pick<Group, 'tensors'>[]): void {
    add(this.#pushed, groups);
  }

  pulled(groups: readonly Pick<Group, 'tensors'>[]): void {
    add(this.#pulled, groups);
  }

  /** Ranks that have been given, those of workers that are gone too. */
  get workers(): number {
    return Atomics.load(this.#words, statusWord.workers);
  }

  read(inFlight: number): KVStoreStats {
    return {
      keys: Atomics.load(this.#words, statusWord.keys),
      live: Atomics.load(this.#words, statusWord.live),
      dead: Atomics.load(this.#words, statusWord.dead),
      updates: Number(Atomics.load(this.#counters, statusCounter.updates)),
      storeBytes: Number(Atomics.load(this.#counters, statusCounter.bytes)),
      inFlight,
      pushedTensors: this.#pushed.tensors,
      pushedBytes: this.#pushed.bytes,
      pulledTensors: this.#pulled.tensors,
      pulledBytes: this.#pulled.bytes,
    };
  }
}

/** The totals of groups that may come again and again, see RecentCalls. */
const totals = new WeakMap<readonly object[], Totals>();

interface Totals {
  tensors: number;
  bytes: number;
}

function add(sum: Totals, groups: readonly Pick<Group, 'tensors'>[]): void {
  let total = totals.get(groups);
  if (total === undefined) {
    total = totalOf(groups);
    if (groups.length >= fewestKeys) totals.set(groups, total);
  }
  sum.tensors += total.tensors;
  sum.bytes += total.bytes;
}

function totalOf(groups: readonly Pick<Group, 'tensors'>[]): Totals {
  const total = { tensors: 0, bytes: 0 };
  for (const { tensors } of groups) {
    total.tensors += tensors.length;
    for (const tensor of tensors) {
      total.bytes += arrayOf('indices' in tensor ? tensor.rows : tensor).byteLength;
    }
  }
  return total;
}
