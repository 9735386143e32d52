import type { DType } from '../src/core/dtypes.js';
import { reduceSum } from './reference-sum.js';
import type { AnyTypedArray, DenseArray, RowList } from './types.js';

/** Writes every id of the lists once, ascending, to `out`; returns how many. */
export function unionIds(lists: readonly BigInt64Array[], out: BigInt64Array): number {
  const next = lists.map(() => 0);
  for (let count = 0; ; count++) {
    let least: bigint | undefined;
    for (const [k, ids] of lists.entries()) {
      const id = ids[next[k]!];
      if (id !== undefined && (least === undefined || id < least)) least = id;
    }
    if (least === undefined) return count;
    out[count] = least;
    for (const [k, ids] of lists.entries()) if (ids[next[k]!] === least) next[k]! += 1;
  }
}

/** Sums the rows of each id of `out`. */
export function sumRows(
  inputs: readonly RowList[],
  out: RowList,
  rowLength: number,
  dtype?: DType,
): void {
  const next = inputs.map(() => 0);
  for (const [j, id] of out.ids.entries()) {
    const matching: DenseArray[] = [];
    for (const [k, { ids, rows }] of inputs.entries()) {
      while (next[k]! < ids.length && ids[next[k]!]! < id) next[k]! += 1;
      if (ids[next[k]!] === id) matching.push(rowOf(rows, next[k]!, rowLength));
    }
    const row = rowOf(out.rows, j, rowLength);
    if (matching.length === 0) bytesOf(row).fill(0);
    else reduceSum(matching, row, dtype);
  }
}

/** Row i of `out` becomes row `positions[i]` of `source`, or zeros for -1. */
export function gatherRows(
  source: AnyTypedArray,
  positions: BigInt64Array,
  out: AnyTypedArray,
  rowBytes: number,
): void {
  const [from, to] = [bytesOf(source), bytesOf(out)];
  for (const [i, position] of positions.entries()) {
    const at = Number(position) * rowBytes;
    if (at < 0) to.fill(0, i * rowBytes, (i + 1) * rowBytes);
    else to.set(from.subarray(at, at + rowBytes), i * rowBytes);
  }
}

/** Row `positions[i]` of `target` becomes row i of `source`. */
export function scatterRows(
  source: AnyTypedArray,
  positions: BigInt64Array,
  target: AnyTypedArray,
  rowBytes: number,
): void {
  const [from, to] = [bytesOf(source), bytesOf(target)];
  for (const [i, position] of positions.entries()) {
    to.set(from.subarray(i * rowBytes, (i + 1) * rowBytes), Number(position) * rowBytes);
  }
}

function rowOf(rows: DenseArray, i: number, rowLength: number): DenseArray {
  return rows.subarray(i * rowLength, (i + 1) * rowLength);
}

function bytesOf(view: AnyTypedArray): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
