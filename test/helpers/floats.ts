/** Arrays of numbers for kernel tests, and how to compare them. */

export type NumberArray = Float32Array | Float64Array | Int32Array;

/** A name that picks the type of an array. */
export type NumberType = 'Float32Array' | 'Float64Array' | 'Int32Array';

interface NumberArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumberArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumberArray;
}

const constructors: Readonly<Record<NumberType, NumberArrayConstructor>> = {
  Float32Array,
  Float64Array,
  Int32Array,
};

/** The array type that a name stands for. */
export interface ArrayOf {
  readonly Float32Array: Float32Array;
  readonly Float64Array: Float64Array;
  readonly Int32Array: Int32Array;
}

/** `length` zeros. */
export function zeros<T extends NumberType>(length: number, type: T): ArrayOf[T] {
  return new constructors[type](length) as ArrayOf[T];
}

/** Numbers below 2 ** 32 from a seed: mulberry32, the same on every machine. */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
}

/** Small integers: their sums are exact in every type. */
export function integers(length: number, seed: number): Float32Array {
  const next = generator(seed);
  return Float32Array.from({ length }, () => (next() % 201) - 100);
}

const specials = [
  NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1e-45, // the smallest float32
  -1e-40, // a denormal float32
  5e-324, // the smallest float64
  3.4028234663852886e38, // the largest float32
  2 ** 31,
  -(2 ** 31) - 1,
  0.5,
];

/** Numbers of every magnitude, one in eight of them special; any int32 for an `Int32Array`. */
export function randoms<T extends NumberType>(length: number, seed: number, type: T): ArrayOf[T] {
  const next = generator(seed);
  const array = zeros(length, type);
  for (let i = 0; i < length; i++) {
    const bits = next();
    if (array instanceof Int32Array) array[i] = bits;
    else if (bits % 8 === 0) array[i] = specials[next() % specials.length]!;
    else array[i] = (bits | 0) * 2 ** ((next() % 60) - 50);
  }
  return array;
}

/** An array that knows whether somebody wrote next to it. */
export interface Guarded<T> {
  readonly data: T;
  /** False once a byte beside `data` has changed. */
  isIntact(): boolean;
}

const guardBytes = 64;
const guard = 0xa5;

/** `length` zeros that start `offset` elements behind a multiple of 64 bytes, between guards. */
export function guarded(length: number, offset: number): Guarded<Float32Array>;
export function guarded<T extends NumberType>(
  length: number,
  offset: number,
  type: T,
  buffer?: (bytes: number) => ArrayBufferLike,
): Guarded<ArrayOf[T]>;
export function guarded(
  length: number,
  offset: number,
  type: NumberType = 'Float32Array',
  buffer: (bytes: number) => ArrayBufferLike = (bytes) => new ArrayBuffer(bytes),
): Guarded<NumberArray> {
  const { BYTES_PER_ELEMENT: elementBytes } = constructors[type];
  const begin = guardBytes + offset * elementBytes;
  const end = begin + length * elementBytes;
  const bytes = new Uint8Array(buffer(end + guardBytes)).fill(guard);
  bytes.fill(0, begin, end);
  return {
    data: new constructors[type](bytes.buffer, begin, length),
    isIntact: () =>
      bytes.subarray(0, begin).every((byte) => byte === guard) &&
      bytes.subarray(end).every((byte) => byte === guard),
  };
}

/** A guarded copy of `values`. */
export function guardedCopy<T extends NumberType>(
  values: ArrayOf[T],
  offset: number,
  type: T,
  buffer?: (bytes: number) => ArrayBufferLike,
): Guarded<ArrayOf[T]> {
  const copy = guarded(values.length, offset, type, buffer);
  copy.data.set(values);
  return copy;
}

/**
 * Where two arrays first differ in a bit, or -1. 0 and -0 differ; a NaN equals any NaN, for which of
 * them an addition gives is open. Arrays of unequal length differ at the end of the shorter.
 */
export function firstDifference(actual: NumberArray, expected: NumberArray): number {
  const length = Math.min(actual.length, expected.length);
  for (let i = 0; i < length; i++) if (!Object.is(actual[i], expected[i])) return i;
  return actual.length === expected.length ? -1 : length;
}
