import { RowIndex, type FindRows } from '../src/core/row-index.js';
import { allocate } from '../src/core/memory.js';

/**
 * Which rows of a key are held that is stored row-sparse, and where. Its buffers (the stored tensor,
 * slots) have room for `capacity` rows; row `position` of each belongs to one id:
 *
 *     position |   0   |   1   |   2   | …  size - 1 | free … capacity - 1
 *     id       |   7   |  59e6 |   3   | …           | the contents are anything
 *
 * Positions are given in the order in which rows are first pushed, and stay.
 */
export class StoredRows {
  readonly #index: RowIndex;
  capacity: number;

  /** Holds `ids`, each once, at the positions 0, 1, 2, …. */
  constructor(ids: BigInt64Array, find: FindRows) {
    this.#index = new RowIndex(find);
    this.#index.lookup(ids, new BigInt64Array(ids.length), true);
    this.capacity = ids.length;
  }

  /** Rows held. */
  get size(): number {
    return this.#index.size;
  }

  /** The id at each position, as a copy. */
  ids(): BigInt64Array {
    return this.#index.ids();
  }

  /** Every id that is held, ascending, on shared memory. */
  ascending(): BigInt64Array {
    const ids = allocate('int64', this.size) as BigInt64Array;
    ids.set(this.#index.ids().sort());
    return ids;
  }

  /** The position of each id, -1 for one that is not held. */
  find(ids: BigInt64Array): BigInt64Array {
    const positions = new BigInt64Array(ids.length);
    this.#index.lookup(ids, positions);
    return positions;
  }

  /** How many of `ids`, each of which stands there once, are not held. */
  countMissing(ids: BigInt64Array): number {
    return this.#index.lookup(ids, new BigInt64Array(ids.length));
  }

  /** The position of each id; those that were not held come behind the others. */
  add(ids: BigInt64Array): BigInt64Array {
    const positions = new BigInt64Array(ids.length);
    this.#index.lookup(ids, positions, true);
    return positions;
  }

  /** Forgets the ids at the positions from `size` on. */
  truncate(size: number): void {
    this.#index.truncate(size);
  }
}
