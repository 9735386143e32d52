/**
 * float16 (IEEE binary16) and bfloat16 (the upper half of an IEEE binary32) as their bits. To bits
 * rounds once, to nearest with ties to even; NaN stays NaN.
 */

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The number that the bits of a float16 stand for. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The number that the bits of a bfloat16 stand for. */
export function bfloat16ToNumber(bits: number): number {
  word[0] = bits << 16;
  return float[0]!;
}

/** The bits of the float16 nearest to `x`. */
export function numberToFloat16(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00; // Halfway to what would be the next number.
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  const exponent = exponentOf(size);
  // 1024 to 2048 units of the last place; a carry moves on to the next exponent by itself.
  return sign | (((exponent + 14) << 10) + roundEven(size * 2 ** (10 - exponent)));
}

/** The bits of the bfloat16 nearest to `x`. */
export function numberToBfloat16(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= (2 - 2 ** -8) * 2 ** 127) return sign | 0x7f80;
  if (size < 2 ** -126) return sign | roundEven(size * 2 ** 120 * 2 ** 13);
  const exponent = exponentOf(size);
  return sign | (((exponent + 126) << 7) + roundEven(size * 2 ** (7 - exponent)));
}

/** The exponent of the power of two at or below a positive number that is not subnormal. */
function exponentOf(x: number): number {
  wide[0] = x;
  return ((words[1]! >>> 20) & 0x7ff) - 1023;
}

const wide = new Float64Array(1);
const words = new Uint32Array(wide.buffer); // Little-endian, as every platform of Node.js.

/** The integer nearest to `x` from 0 up, the even one of two that are equally near. */
function roundEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
