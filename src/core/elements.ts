import { DeviceArray, type Elements } from './device-array.js';
import { deviceBackend } from './device-backend.js';
import { privateArray, type DType, type TensorData } from './dtypes.js';
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from './half.js';

/** Elements of one dtype as numbers. */
export interface Codec {
  /** Element `i` as a number; an int64 is rounded to the nearest. */
  readonly get: (data: TensorData, i: number) => number;
  /**
   * Stores the number `x` as element `i`: floats round to nearest, ties to even; integers truncate
   * toward zero and saturate, NaN becomes 0.
   */
  readonly set: (data: TensorData, i: number, x: number) => void;
}

const bits = (read: (bits: number) => number, write: (x: number) => number): Codec => ({
  get: (data, i) => read((data as Uint16Array)[i]!),
  set: (data, i, x) => void ((data as Uint16Array)[i] = write(x)),
});

const floats: Codec = {
  get: (data, i) => (data as Float64Array)[i]!,
  set: (data, i, x) => void ((data as Float64Array)[i] = x),
};

const integers = (low: number, high: number): Codec => ({
  get: (data, i) => (data as Int32Array)[i]!,
  set: (data, i, x) => {
    (data as Int32Array)[i] = Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, low), high));
  },
});

const codecs: Readonly<Record<DType, Codec>> = {
  float32: floats,
  float64: floats,
  float16: bits(float16ToNumber, numberToFloat16),
  bfloat16: bits(bfloat16ToNumber, numberToBfloat16),
  int8: integers(-128, 127),
  uint8: integers(0, 255),
  int32: integers(-(2 ** 31), 2 ** 31 - 1),
  int64: {
    get: (data, i) => Number((data as BigInt64Array)[i]!),
    set: (data, i, x) => void ((data as BigInt64Array)[i] = toInt64(x)),
  },
};

/** How elements of `dtype` are read and written as numbers. */
export function codecOf(dtype: DType): Codec {
  return codecs[dtype];
}

/** `out[i] = source[i]` in the dtype of `out`, as `Codec.set` rounds. Not for arrays that overlap. */
export function castElements(source: Elements, from: DType, out: Elements, to: DType): void {
  if (from === to) return copyElements(source, out);
  if (source instanceof DeviceArray || out instanceof DeviceArray) {
    return deviceBackend().cast(source, from, out, to);
  }
  const [{ get }, { set }] = [codecs[from], codecs[to]];
  for (let i = 0; i < out.length; i++) set(out, i, get(source, i));
}

/** Copies the elements of an array of the same dtype, bit by bit. */
export function copyElements(source: Elements, out: Elements): void {
  if (source instanceof DeviceArray || out instanceof DeviceArray) {
    return deviceBackend().copy(source, out);
  }
  // Arrays of one type: `set` then moves bytes, whatever the elements are.
  out.set(source as never);
}

/** The elements as a typed array: those of a device as a copy, made when what writes them has ended. */
export function onHost(elements: Elements): TensorData {
  if (!(elements instanceof DeviceArray)) return elements;
  const copy = privateArray(elements.dtype, elements.length);
  deviceBackend().download(elements, copy);
  return copy;
}

function toInt64(x: number): bigint {
  if (Number.isNaN(x)) return 0n;
  if (x >= 2 ** 63) return 2n ** 63n - 1n;
  if (x < -(2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(x));
}
