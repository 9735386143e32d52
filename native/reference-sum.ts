import type { DType } from '../src/core/dtypes.js';
import { codecOf } from '../src/core/elements.js';
import { resolveDtype } from './dtype-codes.js';
import type { DenseArray } from './types.js';

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
