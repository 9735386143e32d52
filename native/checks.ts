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
    a.buffer !== b.buffer ||
    a.byteOffset + a.byteLength <= b.byteOffset ||
    b.byteOffset + b.byteLength <= a.byteOffset
  );
}

function checkSameOrDisjoint(a: AnyTypedArray, b: AnyTypedArray): void {
  const isSame = a.buffer === b.buffer && a.byteOffset === b.byteOffset;
  assert(isSame || isDisjoint(a, b), 'arrays of one kernel call must not overlap in part');
}

/** Asserts the contract of `reduceSum`. */
export function checkReduceSum(inputs: readonly DenseArray[], out: DenseArray): void {
  assert(inputs.length > 0, 'a sum has at least one input');
  assert(denseTypes.has(typeOf(out)), 'there is no sum for this type of array');
  for (let k = 0; k < inputs.length; k++) {
    checkAlike(inputs[k]!, out);
    checkSameOrDisjoint(inputs[k]!, out);
  }
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
    for (let k = 0; k < inputs.length; k++) checkSameOrDisjoint(inputs[k]!, momentum);
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
  for (let k = 0; k < outs.length; k++) {
    checkAlike(outs[k]!, source);
    checkSameOrDisjoint(outs[k]!, source);
  }
}

/** Asserts the contract of `cast`. */
export function checkCast(source: DenseArray, out: DenseArray): void {
  assert(denseTypes.has(typeOf(source)), 'there is no cast from this type of array');
  assert(denseTypes.has(typeOf(out)), 'there is no cast to this type of array');
  assert(source.length === out.length, 'arrays of one kernel call have one length');
  if (typeOf(source) === typeOf(out)) checkSameOrDisjoint(source, out);
  else assert(isDisjoint(source, out), 'a cast to another type needs another array');
}
