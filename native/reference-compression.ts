import type { CompressionSpec } from '../src/core/compression.js';

/** What the kernels of gradient compression mean; src/core/compression.ts has the formulas. */

/** The code, the value and what is left of `r`. */
type Rule = (r: number) => readonly [code: number, value: number, left: number];

function ruleOf({ type, threshold }: CompressionSpec): Rule {
  const t = Math.fround(threshold);
  if (type === '1bit') return (r) => (r > t ? [1, 1, r - 1] : [0, -1, r + 1]);
  return (r) => (r >= t ? [3, t, r - t] : r <= -t ? [2, -t, r + t] : [0, 0, r]);
}

/** Writes the codes of `gradient` to `out`, and what is left to `residual`. */
export function encode(
  codec: CompressionSpec,
  gradient: Float32Array,
  residual: Float32Array,
  out: Uint8Array,
): void {
  const rule = ruleOf(codec);
  const bits = codec.type === '2bit' ? 2 : 1;
  const perByte = 8 / bits;
  out.fill(0);
  for (let i = 0; i < gradient.length; i++) {
    const [code, , left] = rule(Math.fround(residual[i]! + gradient[i]!));
    residual[i] = left;
    out[Math.floor(i / perByte)]! |= code << (8 - bits - bits * (i % perByte));
  }
}

/** Writes the values of codes to `out`. */
export function decode(
  { type, threshold }: CompressionSpec,
  bytes: Uint8Array,
  out: Float32Array,
): void {
  const [bits, perByte] = type === '2bit' ? [2, 4] : [1, 8];
  const values = type === '2bit' ? [0, 0, -threshold, threshold] : [-1, 1];
  for (let i = 0; i < out.length; i++) {
    const byte = bytes[Math.floor(i / perByte)]!;
    out[i] = values[(byte >> (8 - bits - bits * (i % perByte))) & (2 ** bits - 1)]!;
  }
}

/** Writes the values to `out` and what is left to `left`. */
export function quantize(
  codec: CompressionSpec,
  [gradient, residual]: readonly [Float32Array, Float32Array],
  left: Float32Array,
  out: Float32Array,
): void {
  const rule = ruleOf(codec);
  for (let i = 0; i < gradient.length; i++) {
    const [, value, rest] = rule(Math.fround(residual[i]! + gradient[i]!));
    left[i] = rest;
    out[i] = value;
  }
}
