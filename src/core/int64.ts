/**
 * 64-bit integers without bigints: each is seen as two 32-bit words, for reading an element of a
 * `BigInt64Array` as a bigint allocates, which costs more than all that is done with it.
 */

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Where the low word of an element stands among its two. */
export const lowWord = isLittleEndian ? 0 : 1;

/** Where the high word, which has the sign, stands. */
export const highWord = 1 - lowWord;

/** The same memory as words: element i is words 2 i and 2 i + 1. */
export function wordsOf(integers: BigInt64Array | BigUint64Array): Int32Array {
  return new Int32Array(integers.buffer, integers.byteOffset, 2 * integers.length);
}

/** The element whose words these are; a number beyond 2 ** 53 is rounded, but stays beyond. */
export function fromWords(low: number, high: number): number {
  return high * 2 ** 32 + (low >>> 0);
}

/** Writes safe integers into `out`, of the same length. */
export function setNumbers(out: BigInt64Array, numbers: Float64Array): void {
  const words = wordsOf(out);
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    words[2 * i + lowWord] = number; // Storing takes it modulo 2 ** 32.
    words[2 * i + highWord] = Math.floor(number / 2 ** 32);
  }
}

/** The elements as numbers; those beyond 2 ** 53 are rounded. */
export function toNumbers(integers: BigInt64Array | BigUint64Array): Float64Array {
  const words = wordsOf(integers);
  const numbers = new Float64Array(integers.length);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = fromWords(words[2 * i + lowWord]!, words[2 * i + highWord]!);
  }
  return numbers;
}
