import type { Elements } from '../src/core/device-array.js';
import { computeDtype, dtypeInfo, type DType } from '../src/core/dtypes.js';
import { showKey } from '../src/core/errors.js';
import type { Shape } from '../src/core/shape.js';
import type { Kernels } from '../native/kernels.js';
import type { RoundValues } from './round-values.js';
import type { Entry, OpenUpdate } from './entry.js';
import { StoredRows } from './stored-rows.js';
import type { Workspace } from './workspace.js';

/** Elements of slot `name` of a tensor of `shape`. */
type SlotLength = (name: string, shape: Shape) => number;

const leastCapacity = 8;

/** Changes the rows of keys that are stored row-sparse; what fails leaves them as they were. */
export class SparseUpdates {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;

  constructor(kernels: Kernels, workspace: Workspace) {
    this.#kernels = kernels;
    this.#workspace = workspace;
  }

  /** The sum of a round replaces what is held. Throws `memory_limit`. */
  replace(entry: Entry, { inputs, rows: ids }: RoundValues): void {
    const [sum] = inputs;
    const { capacity } = entry.rows!;
    const next = new StoredRows(ids!, this.#kernels.findRows);
    if (next.size > capacity) this.#resize(entry, next.size, () => 0);
    else next.capacity = capacity;
    const before = entry.rows;
    entry.rows = next;
    try {
      this.#kernels.copy(sum!, [entry.heldPart(entry.stored)]);
      this.#send(entry);
    } catch (error) {
      entry.rows = before;
      throw error;
    }
  }

  /**
   * Runs `update` with the positions of `ids`, after those that were not held were added as zeros.
   * Throws `memory_limit`, or what `update` throws; the rows added are gone then.
   */
  withRows(
    entry: Entry,
    ids: BigInt64Array,
    slotLength: SlotLength,
    update: (positions: BigInt64Array) => void,
  ): void {
    const rows = entry.rows!;
    const { size } = rows;
    const wanted = size + rows.countMissing(ids);
    if (wanted > rows.capacity) {
      this.#resize(entry, Math.max(wanted, 2 * rows.capacity, leastCapacity), slotLength);
    }
    const positions = rows.add(ids);
    this.#clear(entry, size, slotLength);
    try {
      update(positions);
      this.#send(entry);
    } catch (error) {
      rows.truncate(size);
      throw error;
    }
  }

  /** The sum of a round with zeros for the rows that nobody pushed; to be released. */
  spread(entry: Entry, sum: Elements, positions: BigInt64Array): Elements {
    const all = this.#buffer(entry, entry.rows!.size, 'the sum');
    try {
      this.#kernels.scatterRows(sum, positions, all, rowBytesOf(entry));
      return all;
    } catch (error) {
      this.#workspace.release(all);
      throw error;
    }
  }

  /** Copies of the sum of a round and of the rows that were pushed, for an updater. */
  open(entry: Entry, { inputs, rows: ids }: RoundValues): OpenUpdate {
    const made = [this.#buffer(entry, ids!.length, 'the sum')];
    try {
      made.push(this.#buffer(entry, ids!.length, 'the update buffer'));
      const [input, scratch] = made as [Elements, Elements];
      this.#kernels.copy(inputs[0]!, [input]);
      const positions = entry.rows!.find(ids!);
      this.#kernels.gatherRows(entry.stored, positions, scratch, rowBytesOf(entry));
      this.#send(entry); // Whoever runs the updater is to see it.
      // The round's own list may lie in memory that its device uses again.
      return { shape: entry.shapeOf(ids!.length), input, scratch, rows: ids!.slice() };
    } catch (error) {
      for (const each of made) this.#workspace.release(each);
      throw error;
    }
  }

  /** The rows that an updater has edited become those stored. Throws `memory_limit`. */
  commit(entry: Entry, { rows, scratch }: OpenUpdate): void {
    this.withRows(entry, rows!, noSlots, (positions) =>
      this.#kernels.scatterRows(scratch, positions, entry.stored, rowBytesOf(entry)),
    );
  }

  /** Room for `capacity` rows in every buffer of `entry`, or in none. Throws `memory_limit`. */
  #resize(entry: Entry, capacity: number, slotLength: SlotLength): void {
    const { key, like, stored, slots } = entry;
    const shape = entry.shapeOf(capacity);
    const made: Elements[] = [];
    const larger = (old: Elements, dtype: DType, length: number): Elements => {
      const what = `${capacity} rows of ${showKey(key)}`;
      const buffer = this.#workspace.reserve({ dtype, length, place: like.device, what, key });
      made.push(buffer);
      this.#kernels.copy(old, [buffer.subarray(0, old.length)]);
      return buffer;
    };
    const grown = new Map<string, Elements>();
    try {
      entry.stored = larger(stored, like.dtype, capacity * entry.rowLength);
      for (const [name, slot] of slots) {
        const length = slotLength(name, shape);
        if (length > slot.length) grown.set(name, larger(slot, computeDtype(like.dtype), length));
      }
      this.#send(entry);
    } catch (error) {
      entry.stored = stored;
      for (const buffer of made) this.#workspace.release(buffer);
      throw error;
    }
    this.#workspace.release(stored);
    for (const [name, slot] of grown) {
      this.#workspace.release(slots.get(name)!);
      slots.set(name, slot);
    }
    entry.rows!.capacity = capacity;
  }

  /** Zeros in the rows that are held from the position `first` on, in every buffer with rows. */
  #clear(entry: Entry, first: number, slotLength: SlotLength): void {
    const { rows, rowLength, stored, slots } = entry;
    if (rows!.size === first) return;
    this.#kernels.clear(stored.subarray(first * rowLength, rows!.size * rowLength));
    const [before, after] = [entry.shapeOf(first), entry.heldShape];
    for (const [name, slot] of slots) {
      this.#kernels.clear(slot.subarray(slotLength(name, before), slotLength(name, after)));
    }
  }

  /** What a CUDA device has not been sent may still fail; what follows here cannot be undone. */
  #send({ cudaDevice }: Entry): void {
    if (cudaDevice !== undefined) this.#kernels.flush(cudaDevice);
  }

  #buffer(entry: Entry, rows: number, what: string): Elements {
    const { key, like } = entry;
    const length = rows * entry.rowLength;
    const purpose = { dtype: like.dtype, length, place: like.device, key };
    return this.#workspace.reserve({ ...purpose, what: `${what} of ${showKey(key)}` });
  }
}

const noSlots: SlotLength = () => 0;

function rowBytesOf({ like, rowLength }: Entry): number {
  return rowLength * dtypeInfo(like.dtype).bytes;
}
