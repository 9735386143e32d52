import assert from 'node:assert/strict';
import type { AnyTypedArray, DenseArray, FloatArray, SgdHyper } from './types.js';

/**
 * What the C++ kernels trust: without these checks a mistake would read or write foreign memory.
 * Messages are constants because the checks run before every call. Two `SharedArrayBuffer` objects
 * may stand for the same memory; overlap through such a pair is the caller's to avoid.
 */

const denseTypes: ReadonlySet<string> = new Set(['Float32Array', 'Float64Array', 'Int32Array']);
const floatTypes: ReadonlySet<string> = new Set(['Float32Array', 'Float64Array']);

/** 'Float32Array' and the like, also for a subclass or an array of another realm. */
export function typeOf(view: AnyTypedArray): string {
  assert(ArrayBuffer.isView(view), 'a kernel takes typed arrays');
  return view[Symbol.toStringTag];
}

function checkAlike(view: AnyTypedArray, other: AnyTypedArray): void {
  assert(typeOf(view) === typeOf(other), 'arrays of one kernel call have one type');
  assert(view.length === other.length, 'arrays of one kernel call have one length');
}

function isDisjoint(a: AnyTypedArray, b: AnyTypedArray): boolean {
  return (
    a.byteOffset + a.byteLength <= b.byteOffset ||
    b.byteOffset + b.byteLength <= a.byteOffset ||
    a.buffer !== b.buffer
  );
}

/** `views` are like `other`, and each is disjoint from it or the same array at the same position. */
function checkMany(views: readonly AnyTypedArray[], other: AnyTypedArray): void {
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

/** Asserts the contract of `reduceSum`. */
export function checkReduceSum(inputs: readonly DenseArray[], out: DenseArray): void {
  assert(inputs.length > 0, 'a sum has at least one input');
  assert(denseTypes.has(typeOf(out)), 'there is no sum for this type of array');
  checkMany(inputs, out);
}

/** Asserts the contract of `sgdStep`. */
export function checkSgdStep(
  inputs: readonly FloatArray[],
  stored: FloatArray,
  momentum: FloatArray | undefined,
  hyper: SgdHyper,
): void {
  assert(floatTypes.has(typeOf(stored)), 'there is no SGD for this type of array');
  checkReduceSum(inputs, stored);
  if (momentum !== undefined) {
    checkAlike(momentum, stored);
    assert(isDisjoint(momentum, stored), 'momentum and stored must not overlap');
    checkMany(inputs, momentum);
  }
  const { lr, momentum: factor, wd, rescaleGrad, clipGradient = 0 } = hyper;
  assert(
    typeof lr === 'number' && typeof factor === 'number' && typeof wd === 'number',
    'hyper-parameters are numbers',
  );
  assert(typeof rescaleGrad === 'number', 'rescaleGrad is a number');
  assert(typeof clipGradient === 'number', 'clipGradient is a number or undefined');
}

/** Asserts the contract of `copy`. */
export function checkCopy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void {
  checkMany(outs, source);
}

/** Asserts the contract of `cast`. */
export function checkCast(source: DenseArray, out: DenseArray): void {
  assert(denseTypes.has(typeOf(source)), 'there is no cast from this type of array');
  assert(denseTypes.has(typeOf(out)), 'there is no cast to this type of array');
  assert(source.length === out.length, 'arrays of one kernel call have one length');
  if (typeOf(source) === typeOf(out)) checkMany([source], out);
  else assert(isDisjoint(source, out), 'a cast to another type needs another array');
}
