import { types } from 'node:util';
import { dtypeInfo, type DType } from '../src/core/dtypes.js';
import { castElements, codecOf, copyElements } from '../src/core/elements.js';
import { resolveDtype } from './dtype-codes.js';
import type { AnyTypedArray, DenseArray } from './types.js';

export { decode, encode, quantize } from './reference-compression.js';
export { squares, step } from './reference-step.js';

/**
 * What each kernel means, plainly; `types.ts` has the contracts. Tests compare the addon with these,
 * and they do the work where no addon could be built.
 */

/** Sums `inputs` into `out`. */
export function reduceSum(inputs: readonly DenseArray[], out: DenseArray, said?: DType): void {
  const dtype = resolveDtype(out, said);
  if (dtype === 'int64') return sumInt64(inputs as readonly BigInt64Array[], out as BigInt64Array);
  const { get, set } = codecOf(dtype);
  const round = roundingOf(dtype);
  for (let i = 0; i < out.length; i++) {
    let sum = get(inputs[0]!, i);
    for (let k = 1; k < inputs.length; k++) sum = round(sum + get(inputs[k]!, i));
    set(out, i, sum);
  }
}

/** How a sum on its way is rounded: one rounding an addition, of half types to float32. */
function roundingOf(dtype: DType): (x: number) => number {
  switch (dtype) {
    case 'float64':
      return (x) => x;
    case 'int8':
      return (x) => (x << 24) >> 24;
    case 'uint8':
      return (x) => x & 255;
    case 'int32':
      return (x) => x | 0;
    default:
      return Math.fround;
  }
}

function sumInt64(inputs: readonly BigInt64Array[], out: BigInt64Array): void {
  for (let i = 0; i < out.length; i++) {
    let sum = inputs[0]![i]!;
    for (let k = 1; k < inputs.length; k++) sum = BigInt.asIntN(64, sum + inputs[k]![i]!);
    out[i] = sum;
  }
}

/** Copies `source` to every out. */
export function copy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void {
  for (const out of outs) copyElements(source as DenseArray, out as DenseArray);
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
