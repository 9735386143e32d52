import assert from 'node:assert/strict';
import { dtypeOf, holds, type DType } from '../src/core/dtypes.js';
import type { DenseArray } from './types.js';

/** The numbers of the dtypes in C++: the order of `Dtype` in src/dtype.h. */
const codes: Readonly<Record<DType, number>> = {
  float32: 0,
  float64: 1,
  float16: 2,
  bfloat16: 3,
  int8: 4,
  uint8: 5,
  int32: 6,
  int64: 7,
};

/** The number of `dtype` in C++. */
export function codeOf(dtype: DType): number {
  return codes[dtype];
}

/** The dtype of `array`: what was said, which only arrays of bits need, or what it holds. */
export function resolveDtype(array: DenseArray, said: DType | undefined): DType {
  const dtype = said ?? dtypeOf(array);
  assert(dtype !== undefined, 'a kernel needs to be told the dtype of a Uint16Array');
  assert(said === undefined || holds(said, array), 'the array does not hold that dtype');
  return dtype;
}
