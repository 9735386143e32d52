import type { TensorData } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import { sizeOf } from '../src/core/shape.js';
import type { Kernels } from '../native/kernels.js';
import type { RoundValues } from './compression.js';
import type { Entry, PushPart } from './entry.js';
import type { Workspace } from './workspace.js';

/** Adds the row-sparse values of a round: one row for each id that any of them has. */
export class RowSums {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;

  constructor(kernels: Kernels, workspace: Workspace) {
    this.#kernels = kernels;
    this.#workspace = workspace;
  }

  /**
   * The sum of a round of row-sparse values, in buffers of its own. Throws `stype_mismatch` when
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
    const most = inputs.reduce((sum, { ids }) => sum + ids.length, 0);
    const what = `the sum of rows of ${showKey(key)}`;
    const union = this.#workspace.reserve({ dtype: 'int64', length: most, what, key });
    const held: TensorData[] = [union];
    const end = (): void => held.forEach((data) => this.#workspace.release(data));
    try {
      const lists = inputs.map(({ ids }) => ids);
      const count = this.#kernels.unionIds(lists, union as BigInt64Array);
      const ids = (union as BigInt64Array).subarray(0, count);
      const rowLength = sizeOf(like.shape.slice(1));
      const length = count * rowLength;
      const rows = this.#workspace.reserve({ dtype: like.dtype, length, what, key });
      held.push(rows);
      this.#kernels.sumRows(inputs, { ids, rows }, rowLength, like.dtype);
      return { inputs: [rows], rows: ids, end };
    } catch (error) {
      end();
      throw error;
    }
  }
}
