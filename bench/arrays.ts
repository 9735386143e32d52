import { zeros } from 'tensorkv';

/** Zeros on shared memory, laid out as the store lays out its tensors. */
export function floats(length: number): Float32Array {
  return zeros([length]).data as Float32Array;
}

/** Small positive integers, others for each seed: float32 adds and scales them without rounding. */
export function integers(length: number, seed: number): Float32Array {
  const array = floats(length);
  for (let i = 0; i < length; i++) array[i] = integerAt(i, seed);
  return array;
}

/** Element `i` of `integers(length, seed)`. */
export function integerAt(i: number, seed: number): number {
  return ((i * 7 + seed * 3) % 11) + 1;
}

/** A digest of the bits of `arrays` laid end to end: where they are cut does not matter. */
export function digest(arrays: readonly Float32Array[]): string {
  let hash = 0x811c9dc5;
  for (const array of arrays) {
    const words = new Uint32Array(array.buffer, array.byteOffset, array.length);
    for (let i = 0; i < words.length; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x01000193);
      // Multiplication carries only upwards, and small integers differ in their high bits alone.
      hash ^= hash >>> 15;
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** A count with its thousands apart. */
export function showCount(count: number): string {
  return count.toLocaleString('en-US');
}
