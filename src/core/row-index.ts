import { highWord, lowWord, wordsOf } from './int64.js';

/** Looks many ids up at once: the kernel `findRows`, or its definition here. */
export type FindRows = (
  table: Int32Array,
  present: BigInt64Array,
  ids: BigInt64Array,
  out: BigInt64Array,
) => number;

/**
 * Which physical slot holds which row: a hash map from row ids to 0, 1, 2, …, the order in which
 * they were added. Its size follows the rows present, not those a tensor could have.
 *
 * Open addressing with linear probing. The table holds slot + 1, or 0 where it is empty, and is at
 * most half full; the ids stand apart, by slot, so that the table stays small and dense in caches:
 *
 *     table  | 0 | 2 | 0 | 1 | 3 | 0 | …      hash(id) picks where a search starts
 *     ids    | id of slot 0 | id of slot 1 | id of slot 2 | …
 *
 * Ids are any 64-bit integers; as numbers, safe ones, or a RangeError is thrown.
 */
export class RowIndex {
  readonly #find: FindRows;
  #table = new Int32Array(16);
  #ids = new BigInt64Array(8);
  #words = wordsOf(this.#ids);
  #size = 0;

  /** `find` does the work of `lookup`. */
  constructor(find: FindRows = findRows) {
    this.#find = find;
  }

  /** Ids present. */
  get size(): number {
    return this.#size;
  }

  /** The slot of `id`, or -1 where it is absent. */
  get(id: number | bigint): number {
    const [low, high] = split(id);
    return this.#table[probe(this.#table, this.#words, low, high)]! - 1;
  }

  /** The slot of `id`, the next free one where it was absent. */
  add(id: number | bigint): number {
    const [low, high] = split(id);
    return this.#slotFor(low, high);
  }

  /** Every id present, by slot, as a copy. */
  ids(): BigInt64Array {
    return this.#ids.slice(0, this.#size);
  }

  /**
   * `out[i]` becomes the slot of `ids[i]`, or -1 where it is absent; `out` is another array of the
   * length of `ids`. With `addMissing`, absent ids are added, in the order of the list. Returns how
   * many elements of the list were absent before.
   */
  lookup(ids: BigInt64Array, out: BigInt64Array, addMissing = false): number {
    const absent = this.#find(this.#table, this.#ids.subarray(0, this.#size), ids, out);
    if (!addMissing || absent === 0) return absent;
    const [words, slots] = [wordsOf(ids), wordsOf(out)];
    for (let i = 0; i < words.length; i += 2) {
      if (slots[i + highWord] !== -1) continue;
      slots[i + lowWord] = this.#slotFor(words[i + lowWord]!, words[i + highWord]!);
      slots[i + highWord] = 0;
    }
    return absent;
  }

  /** Takes out the ids of the slots from `size` on: those that were added last. */
  truncate(size: number): void {
    if (size >= this.#size) return;
    this.#size = size;
    this.#rebuild(this.#ids.length);
  }

  #slotFor(low: number, high: number): number {
    let at = probe(this.#table, this.#words, low, high);
    if (this.#table[at] !== 0) return this.#table[at]! - 1;
    if (this.#size === this.#ids.length) {
      this.#rebuild(2 * this.#size);
      at = probe(this.#table, this.#words, low, high);
    }
    const slot = this.#size;
    this.#words[2 * slot + lowWord] = low;
    this.#words[2 * slot + highWord] = high;
    this.#size = slot + 1;
    this.#table[at] = this.#size;
    return slot;
  }

  /** A table with room for `room` ids, of those that are present. */
  #rebuild(room: number): void {
    const ids = new BigInt64Array(room);
    ids.set(this.#ids.subarray(0, this.#size));
    const words = wordsOf(ids);
    const table = new Int32Array(2 * ids.length);
    for (let slot = 0; slot < this.#size; slot++) {
      const at = probe(table, words, words[2 * slot + lowWord]!, words[2 * slot + highWord]!);
      table[at] = slot + 1;
    }
    this.#ids = ids;
    this.#words = words;
    this.#table = table;
  }
}

/**
 * `out[i]` becomes the slot of `ids[i]` in the table of a `RowIndex` whose ids by slot are `present`,
 * or -1. Returns how many are absent. Defines the kernel of this name.
 */
export function findRows(
  table: Int32Array,
  present: BigInt64Array,
  ids: BigInt64Array,
  out: BigInt64Array,
): number {
  const presentWords = wordsOf(present);
  const words = wordsOf(ids);
  const slots = wordsOf(out);
  let absent = 0;
  for (let i = 0; i < words.length; i += 2) {
    const slot = table[probe(table, presentWords, words[i + lowWord]!, words[i + highWord]!)]! - 1;
    if (slot === -1) absent += 1;
    slots[i + lowWord] = slot;
    slots[i + highWord] = slot >> 31;
  }
  return absent;
}

/** Where in the table the id of these words stands, or would. */
function probe(table: Int32Array, presentWords: Int32Array, low: number, high: number): number {
  const mask = table.length - 1;
  for (let at = hash(low, high) & mask; ; at = (at + 1) & mask) {
    const slot = table[at]! - 1;
    if (slot === -1) return at;
    const isHere =
      presentWords[2 * slot + lowWord] === low && presentWords[2 * slot + highWord] === high;
    if (isHere) return at;
  }
}

/** The finalizer of MurmurHash3: ids in steps of any size spread over the whole table. */
function hash(low: number, high: number): number {
  let x = low ^ Math.imul(high, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

function split(id: number | bigint): readonly [low: number, high: number] {
  if (typeof id === 'number' && Number.isSafeInteger(id)) {
    return [id | 0, Math.floor(id / 2 ** 32) | 0];
  }
  // BigInt refuses numbers that are no integers.
  const words = wordsOf(BigInt64Array.of(BigInt(id)));
  return [words[lowWord]!, words[highWord]!];
}
