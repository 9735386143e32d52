import assert from 'node:assert/strict';
import { compressedBytes, type CompressionSpec } from '../src/core/compression.js';
import { checkMany, isDisjoint, typeOf } from './checks.js';

const message = 'compression works on float32 alone';

/** Asserts the contract of `encode`. */
export function checkEncode(
  { type }: CompressionSpec,
  gradient: Float32Array,
  residual: Float32Array,
  out: Uint8Array,
): void {
  assert(typeOf(gradient) === 'Float32Array', message);
  checkMany([residual], gradient);
  assert(isDisjoint(gradient, residual), 'gradient and residual must not overlap');
  checkBytes(out, type, gradient);
  assert(isDisjoint(out, residual), 'codes must not overlap the residual');
}

/** Asserts the contract of `decode`. */
export function checkDecode({ type }: CompressionSpec, bytes: Uint8Array, out: Float32Array): void {
  assert(typeOf(out) === 'Float32Array', message);
  checkBytes(bytes, type, out);
}

/** Asserts the contract of `quantize`. */
export function checkQuantize(
  [gradient, residual]: readonly [Float32Array, Float32Array],
  left: Float32Array,
  out: Float32Array,
): void {
  assert(typeOf(gradient) === 'Float32Array', message);
  checkMany([residual, left], gradient);
  checkMany([left, gradient], out);
  assert(isDisjoint(out, left) && isDisjoint(out, residual), 'values have an array of their own');
  assert(isDisjoint(gradient, left), 'gradient and residual must not overlap');
}

function checkBytes(bytes: Uint8Array, type: CompressionSpec['type'], floats: Float32Array): void {
  assert(typeOf(bytes) === 'Uint8Array', 'codes are a Uint8Array');
  assert(bytes.length === compressedBytes(type, floats.length), 'codes have the length of theirs');
  assert(isDisjoint(bytes, floats), 'codes must not overlap the numbers');
}
