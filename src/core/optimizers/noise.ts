import type { Key } from '../keys.js';

/**
 * Normally distributed noise as a function of a stream and a position: no state, so the same run
 * gives the same noise, whoever computes which elements. Made of operations that are exact or
 * correctly rounded in double precision, in one order, so that native code gives the same bits.
 */

/** Two 32-bit words that name the noise of one update of one key. */
export function hashKey(seed: number, key: Key, count: number): readonly [number, number] {
  let low = mix(0x9e3779b9, seed >>> 0);
  low = mix(low, Math.floor(seed / 2 ** 32));
  const name = typeof key === 'number' ? `#${key}` : `"${key}`;
  for (let i = 0; i < name.length; i++) low = mix(low, name.charCodeAt(i));
  low = mix(low, count >>> 0);
  return [low, mix(low, 0x85ebca6b)];
}

/** Noise number `position` of the stream (`low`, `high`): mean 0, variance 1 (Box and Muller, 1958). */
export function normal(low: number, high: number, position: number): number {
  const at = mix(low, position >>> 0);
  const row = mix(at, Math.floor(position / 2 ** 32));
  const radius = mix(row, high);
  const angle = mix(radius, 0x27d4eb2f);
  return Math.sqrt(-2 * logOf(radius)) * cosOf(angle);
}

/** Mixes a 32-bit word into another: the finisher of MurmurHash3 (Appleby). */
function mix(state: number, word: number): number {
  let x = (state ^ word) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  x = (x ^ (x >>> 16)) >>> 0;
  return (x + 0x9e3779b9) >>> 0;
}

const ln2 = 0.6931471805599453;

/** `ln((x + 1/2) / 2^32)` of a 32-bit word: the series of the inverse hyperbolic tangent. */
function logOf(x: number): number {
  let m = x + 0.5;
  let exponent = -32;
  // At most 33 halvings, each exact, to a number between 3/4 and 3/2.
  while (m >= 1.5) {
    m *= 0.5;
    exponent += 1;
  }
  if (m < 0.75) {
    m *= 2;
    exponent -= 1;
  }
  const t = (m - 1) / (m + 1);
  const square = t * t;
  let sum = 1 / 19;
  for (let n = 17; n >= 1; n -= 2) sum = sum * square + 1 / n;
  return exponent * ln2 + 2 * (t * sum);
}

/** `cos(2 pi x / 2^32)` of a 32-bit word: Taylor's series on an eighth of the circle. */
function cosOf(x: number): number {
  const quadrant = ((x + 0x20000000) >>> 30) & 3;
  const offset = (x - quadrant * 0x40000000) | 0;
  const a = offset * 1.4629180792671596e-9; // 2 pi / 2^32
  const square = a * a;
  let even = 1;
  let odd = 1;
  for (let n = 16; n >= 2; n -= 2) {
    even = 1 - (square * even) / (n * (n - 1));
    odd = 1 - (square * odd) / (n * (n + 1));
  }
  odd *= a;
  const turned = [even, -odd, -even, odd];
  return turned[quadrant]!;
}
