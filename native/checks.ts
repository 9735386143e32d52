import assert from 'node:assert/strict';
import type { DType } from '../src/core/dtypes.js';
import { resolveDtype } from './dtype-codes.js';
import type { AnyTypedArray, DenseArray } from './types.js';

/**
 * What the C++ kernels trust: without these checks a mistake would read or write foreign memory.
 * Messages are constants because the checks run before every call. Two `SharedArrayBuffer` objects
 * may stand for the same memory; overlap through such a pair is the caller's to avoid.
 */

/** 'Float32Array' and the like, also for a subclass or an array of another realm. */
export function typeOf(view: AnyTypedArray): string {
  assert(ArrayBuffer.isView(view), 'a kernel takes typed arrays');
  return view[Symbol.toStringTag];
}

/** Whether no byte is part of both. */
export function isDisjoint(a: AnyTypedArray, b: AnyTypedArray): boolean {
  return (
    a.byteOffset + a.byteLength <= b.byteOffset ||
    b.byteOffset + b.byteLength <= a.byteOffset ||
    a.buffer !== b.buffer
  );
}

/** `views` are like `other`, and each is disjoint from it or the same array at the same position. */
export function checkMany(views: readonly AnyTypedArray[], other: AnyTypedArray): void {
  const type = typeOf(other);
  const { byteOffset, byteLength, length } = other;
  for (let k = 0; k < views.length; k++) {
    const view = views[k]!;
    assert(typeOf(view) === type, 'arrays of one kernel call have one type');
    assert(view.length === length, 'arrays of one kernel call have one length');
    const distance = view.byteOffset - byteOffset;
    // Reading `buffer` costs more than all the rest, so only where the answer depends on it.
    const isShifted = distance !== 0 && Math.abs(distance) < byteLength;
    assert(
      !isShifted || view.buffer !== other.buffer,
      'arrays of one kernel call must not overlap in part',
    );
  }
}

/** Asserts the contract of `reduceSum`; gives the dtype. */
export function checkReduceSum(
  inputs: readonly DenseArray[],
  out: DenseArray,
  said: DType | undefined,
): DType {
  assert(inputs.length > 0, 'a sum has at least one input');
  checkMany(inputs, out);
  return resolveDtype(out, said);
}

/** Asserts the contract of `copy`. */
export function checkCopy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void {
  checkMany(outs, source);
}

/** Asserts the contract of `cast`. */
export function checkCast(source: DenseArray, from: DType, out: DenseArray, to: DType): void {
  assert(source.length === out.length, 'arrays of one kernel call have one length');
  if (from === to) checkMany([source], out);
  else assert(isDisjoint(source, out), 'a cast to another type needs another array');
}
