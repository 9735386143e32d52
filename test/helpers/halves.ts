/**
 * The 16-bit float formats by their definition in IEEE 754 (bfloat16: the same rules with the widths
 * of binary32's exponent and 7 bits of fraction), as a table of all their numbers. An oracle: nothing
 * here is shared with the code under test.
 */
export interface HalfFormat {
  readonly name: 'float16' | 'bfloat16';
  readonly exponentBits: number;
  readonly fractionBits: number;
}

export const halfFormats: readonly HalfFormat[] = [
  { name: 'float16', exponentBits: 5, fractionBits: 10 },
  { name: 'bfloat16', exponentBits: 8, fractionBits: 7 },
];

/** The number that `bits` stand for. */
export function decodeHalf({ exponentBits, fractionBits }: HalfFormat, bits: number): number {
  const digits = bits.toString(2).padStart(16, '0');
  const sign = digits.startsWith('1') ? -1 : 1;
  const biased = Number.parseInt(digits.slice(1, 1 + exponentBits), 2);
  const fraction = Number.parseInt(digits.slice(1 + exponentBits), 2) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (biased === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (biased === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (biased - bias);
}

/** The bits of plus infinity; those of the finite numbers from zero up are all below. */
export function infinityOf({ exponentBits, fractionBits }: HalfFormat): number {
  return (2 ** exponentBits - 1) * 2 ** fractionBits;
}

/** What would follow the largest finite number were there one exponent more. */
export function beyond({ exponentBits }: HalfFormat): number {
  return 2 ** (2 ** (exponentBits - 1));
}

/** The finite numbers from zero up, each at the place that its bits name. */
export function magnitudes(format: HalfFormat): Float64Array {
  return Float64Array.from({ length: infinityOf(format) }, (_, bits) => decodeHalf(format, bits));
}

/**
 * How a number is rounded to the nearest of a format, ties to the even bits: found among `sizes`, the
 * format's magnitudes. Not for NaN.
 */
export function nearestHalf(format: HalfFormat, sizes: Float64Array, x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  let [low, high] = [0, sizes.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sizes[middle]! <= size) low = middle;
    else high = middle;
  }
  const next = high === sizes.length ? beyond(format) : sizes[high]!;
  const tie = (sizes[low]! + next) / 2; // Exact: both have few digits.
  if (size === tie) return sign | (low % 2 === 0 ? low : high);
  return sign | (size < tie ? low : high);
}

const float = new Float64Array(1);
const word = new BigInt64Array(float.buffer);

/** The float64 `steps` away from `x`, a number above zero: 1 is the next larger one. */
export function step(x: number, steps: bigint): number {
  float[0] = x;
  word[0]! += steps;
  return float[0];
}
