import type { DType, TensorData } from '../../src/core/dtypes.js';
import { codecOf } from '../../src/core/elements.js';

/** Arrays of numbers for kernel tests, and how to compare them. */

/** The array type that holds a dtype. */
export interface ArrayOf {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly bfloat16: Uint16Array;
  readonly int8: Int8Array;
  readonly uint8: Uint8Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
}

interface ArrayConstructor<T extends TensorData> {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): T;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

const constructors: { readonly [T in DType]: ArrayConstructor<ArrayOf[T]> } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
};

/** `length` zeros. */
export function zeros<T extends DType>(length: number, type: T): ArrayOf[T] {
  return new constructors[type](length);
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

/** Numbers of every magnitude, one in eight of them special; any bits for integers and halves. */
export function randoms<T extends DType>(length: number, seed: number, type: T): ArrayOf[T] {
  const next = generator(seed);
  const array: TensorData = zeros(length, type);
  for (let i = 0; i < length; i++) {
    const bits = next();
    if (array instanceof BigInt64Array) array[i] = (BigInt(bits) << 32n) | BigInt(next());
    else if (!type.startsWith('float') || array instanceof Uint16Array)
      array[i] = bits >>> (bits % 17);
    else if (bits % 8 === 0) array[i] = specials[next() % specials.length]!;
    else array[i] = (bits | 0) * 2 ** ((next() % 60) - 50);
  }
  return array as ArrayOf[T];
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
export function guarded<T extends DType>(
  length: number,
  offset: number,
  type: T,
  buffer?: (bytes: number) => ArrayBufferLike,
): Guarded<ArrayOf[T]>;
export function guarded(
  length: number,
  offset: number,
  type: DType = 'float32',
  buffer: (bytes: number) => ArrayBufferLike = (bytes) => new ArrayBuffer(bytes),
): Guarded<TensorData> {
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
export function guardedCopy<T extends DType>(
  values: ArrayOf[T],
  offset: number,
  type: T,
  buffer?: (bytes: number) => ArrayBufferLike,
): Guarded<ArrayOf[T]> {
  const copy = guarded(values.length, offset, type, buffer);
  copy.data.set(values as never);
  return copy;
}

/**
 * Where two arrays first differ in a bit, or -1. 0 and -0 differ; a NaN equals any NaN, for which of
 * them an addition gives is open. Arrays of unequal length differ at the end of the shorter. `type`
 * is needed for bits of halves only.
 */
export function firstDifference(actual: TensorData, expected: TensorData, type?: DType): number {
  const length = Math.min(actual.length, expected.length);
  const half = type === 'float16' || type === 'bfloat16' ? codecOf(type) : undefined;
  const isNaNAt = (array: TensorData, i: number): boolean =>
    half !== undefined && Number.isNaN(half.get(array, i));
  for (let i = 0; i < length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    if (!(isNaNAt(actual, i) && isNaNAt(expected, i))) return i;
  }
  return actual.length === expected.length ? -1 : length;
}
