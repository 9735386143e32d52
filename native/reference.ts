import { types } from 'node:util';
import { dtypeInfo, type DType } from '../src/core/dtypes.js';
import { castElements, codecOf, copyElements } from '../src/core/elements.js';
import { resolveDtype } from './dtype-codes.js';
import type { AnyTypedArray, DenseArray } from './types.js';

export { decode, encode, quantize } from './reference-compression.js';
export { findRows } from '../src/core/row-index.js';
export { gatherRows, scatterRows, sumRows, unionIds } from './reference-rows.js';
export { squares, step } from './reference-step.js';
export { reduceSum } from './reference-sum.js';

/**
 * What each kernel means, plainly; `types.ts` has the contracts. Tests compare the addon with these,
 * and they do the work where no addon could be built.
 */

/** Copies `source` to every out. */
export function copy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void {
  for (const out of outs) copyElements(source as DenseArray, out as DenseArray);
}

/** Zeros in every byte. */
export function clear(out: AnyTypedArray): void {
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).fill(0);
}

/** Converts `source` to the dtype of `out`. */
export function cast(source: DenseArray, out: DenseArray, from?: DType, to?: DType): void {
  castElements(source, resolveDtype(source, from), out, resolveDtype(out, to));
}

/** Whether all elements are finite numbers. */
export function isFinite(view: DenseArray, said?: DType): boolean {
  const dtype = resolveDtype(view, said);
  if (!dtypeInfo(dtype).floating) return true;
  const { get } = codecOf(dtype);
  for (let i = 0; i < view.length; i++) if (!Number.isFinite(get(view, i))) return false;
  return true;
}

/** Returns views of unshared memory as they are; only the addon can make one of shared memory. */
export function unsharedView<T extends AnyTypedArray>(view: T): T {
  if (types.isSharedArrayBuffer(view.buffer)) {
    throw new Error('unsharedView of shared memory needs the native addon');
  }
  return view;
}
