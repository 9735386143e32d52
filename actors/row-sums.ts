import type { Elements } from '../src/core/device-array.js';
import type { DType } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import { sizeOf } from '../src/core/shape.js';
import type { Kernels } from '../native/kernels.js';
import type { RoundValues } from './round-values.js';
import type { Entry, PushPart } from './entry.js';
import { onCpu, type Place, type Workspace } from './workspace.js';

/** Adds the row-sparse values of a round: one row for each id that any of them has. */
export class RowSums {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;

  constructor(kernels: Kernels, workspace: Workspace) {
    this.#kernels = kernels;
    this.#workspace = workspace;
  }

  /**
   * The sum of a round of row-sparse values; one value is its own sum. Throws `stype_mismatch` when
   * other workers pushed dense ones, `memory_limit`.
   */
  round(entry: Entry, parts: readonly PushPart[]): RoundValues {
    const { key, like } = entry;
    const dense = parts.find(({ rows }) => rows === undefined);
    if (dense !== undefined) {
      throw new KVStoreError(
        'stype_mismatch',
        `round ${entry.version} of ${showKey(key)} expected row-sparse values of all workers, got ` +
          `dense ones of rank ${dense.ticket.rank}`,
        { key, rank: dense.ticket.rank },
      );
    }
    const inputs = parts.flatMap(({ rows }) => rows!);
    const [only] = inputs;
    // Read where it lies: its device leaves it alone until the push is answered.
    if (inputs.length === 1) return { inputs: [only!.rows], rows: only!.ids, end: nothing };
    const most = inputs.reduce((sum, { ids }) => sum + ids.length, 0);
    const borrowed = new Borrowed(this.#workspace, entry);
    try {
      const union = borrowed.take('int64', most, onCpu) as BigInt64Array;
      const lists = inputs.map(({ ids }) => ids);
      const ids = union.subarray(0, this.#kernels.unionIds(lists, union));
      const rowLength = sizeOf(like.shape.slice(1));
      const rows = borrowed.take(like.dtype, ids.length * rowLength, like.device);
      this.#kernels.sumRows(inputs, { ids, rows }, rowLength, like.dtype);
      return { inputs: [rows], rows: ids, end: () => borrowed.giveBack() };
    } catch (error) {
      borrowed.giveBack();
      throw error;
    }
  }
}

const nothing = (): void => undefined;

/** Buffers of one round. Their lengths are powers of two, so that the next round can use them. */
class Borrowed {
  readonly #workspace: Workspace;
  readonly #entry: Entry;
  readonly #held: (readonly [Place, DType, Elements])[] = [];

  constructor(workspace: Workspace, entry: Entry) {
    this.#workspace = workspace;
    this.#entry = entry;
  }

  take(dtype: DType, length: number, place: Place): Elements {
    const { key } = this.#entry;
    const room = 2 ** Math.ceil(Math.log2(Math.max(length, 64)));
    const what = `the sum of rows of ${showKey(key)}`;
    const data = this.#workspace.take({ dtype, length: room, place, what, key });
    this.#held.push([place, dtype, data]);
    return data.subarray(0, length);
  }

  giveBack(): void {
    for (const [place, dtype, data] of this.#held) {
      this.#workspace.give({ dtype, length: data.length, place }, data);
    }
  }
}
