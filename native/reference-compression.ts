import type { CompressionSpec } from '../src/core/compression.js';

/** What the kernels of gradient compression mean; src/core/compression.ts has the formulas. */

interface Rule {
  /** The code of a sum. */
  readonly codeOf: (r: number) => number;
  /** The value of each code. It is also what a code takes from the sum. */
  readonly values: readonly number[];
  /** Bits of a code. */
  readonly bits: number;
}

function ruleOf({ type, threshold }: CompressionSpec): Rule {
  const t = Math.fround(threshold);
  if (type === '1bit') return { codeOf: (r) => (r > t ? 1 : 0), values: [-1, 1], bits: 1 };
  const codeOf = (r: number): number => (r >= t ? 3 : r <= -t ? 2 : 0);
  return { codeOf, values: [0, 0, -t, t], bits: 2 };
}

/** How far to the left code `i` stands in its byte. */
function shiftOf(i: number, bits: number): number {
  return 8 - bits - ((i * bits) % 8);
}

/** Writes the codes of `gradient` to `out`, and what is left to `residual`. */
export function encode(
  codec: CompressionSpec,
  gradient: Float32Array,
  residual: Float32Array,
  out: Uint8Array,
): void {
  const { codeOf, values, bits } = ruleOf(codec);
  out.fill(0);
  for (let i = 0; i < gradient.length; i++) {
    const r = Math.fround(residual[i]! + gradient[i]!);
    const code = codeOf(r);
    residual[i] = r - values[code]!;
    out[Math.floor((i * bits) / 8)]! |= code << shiftOf(i, bits);
  }
}

/** Writes the values of codes to `out`. */
export function decode(codec: CompressionSpec, bytes: Uint8Array, out: Float32Array): void {
  const { values, bits } = ruleOf(codec);
  for (let i = 0; i < out.length; i++) {
    const byte = bytes[Math.floor((i * bits) / 8)]!;
    out[i] = values[(byte >> shiftOf(i, bits)) & (values.length - 1)]!;
  }
}

/** Writes the values to `out` and what is left to `left`. */
export function quantize(
  codec: CompressionSpec,
  [gradient, residual]: readonly [Float32Array, Float32Array],
  left: Float32Array,
  out: Float32Array,
): void {
  const { codeOf, values } = ruleOf(codec);
  for (let i = 0; i < gradient.length; i++) {
    const r = Math.fround(residual[i]! + gradient[i]!);
    const value = values[codeOf(r)]!;
    left[i] = r - value;
    out[i] = value;
  }
}
