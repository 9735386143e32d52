import { KVStoreError, show } from './errors.js';

/** The element types of the store, by their names in NumPy and MXNet. */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int32'
  | 'int64';

/** Typed arrays of numbers that hold tensors; of the half types they hold the bits. */
export type NumberData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int32Array;

/** Typed arrays that hold tensors: int64 is held as bigints. */
export type TensorData = NumberData | BigInt64Array;

/** What the library knows of a dtype. */
export interface DTypeInfo {
  readonly name: DType;
  readonly bytes: number;
  /** How elements are held: numbers, 16-bit patterns of a float, or bigints. */
  readonly elements: 'number' | 'bits' | 'bigint';
  readonly floating: boolean;
}

const table: Readonly<Record<DType, DTypeInfo>> = {
  float32: { name: 'float32', bytes: 4, elements: 'number', floating: true },
  float64: { name: 'float64', bytes: 8, elements: 'number', floating: true },
  float16: { name: 'float16', bytes: 2, elements: 'bits', floating: true },
  bfloat16: { name: 'bfloat16', bytes: 2, elements: 'bits', floating: true },
  int8: { name: 'int8', bytes: 1, elements: 'number', floating: false },
  uint8: { name: 'uint8', bytes: 1, elements: 'number', floating: false },
  int32: { name: 'int32', bytes: 4, elements: 'number', floating: false },
  int64: { name: 'int64', bytes: 8, elements: 'bigint', floating: false },
};

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

/** Every dtype, in the order of the table. */
export const dtypes: readonly DTypeInfo[] = Object.values(table);

/** Facts about `dtype`. Throws `bad_argument` for an unknown name. */
export function dtypeInfo(dtype: unknown): DTypeInfo {
  if (typeof dtype === 'string' && Object.hasOwn(table, dtype)) return table[dtype as DType];
  const names = dtypes.map((each) => each.name).join(', ');
  throw new KVStoreError('bad_argument', `expected a dtype (${names}), got ${show(dtype)}`);
}

/** Whether `dtype` is float16 or bfloat16, which are held as bits and computed in float32. */
export function isHalf(dtype: DType): boolean {
  return table[dtype].elements === 'bits';
}

/** The dtype that optimizers compute in for keys of `dtype`: float32 for the half types. */
export function computeDtype(dtype: DType): DType {
  return isHalf(dtype) ? 'float32' : dtype;
}

/** A view of `length` elements of `dtype` on `buffer`. */
export function viewOf(
  dtype: DType,
  buffer: SharedArrayBuffer,
  byteOffset: number,
  length: number,
): TensorData {
  const Constructor = arrays[dtype] as new (
    buffer: SharedArrayBuffer,
    byteOffset: number,
    length: number,
  ) => TensorData;
  return new Constructor(buffer, byteOffset, length);
}

/** Whether `data` is the kind of typed array that holds elements of `dtype`. */
export function holds(dtype: DType, data: unknown): data is TensorData {
  return data instanceof arrays[dtype];
}

/** Whether `data` is a typed array of the kinds that hold tensors. */
export function isTypedArray(data: unknown): data is TensorData {
  return ArrayBuffer.isView(data);
}

/** A typed array of `length` zeros of this thread alone. */
export function privateArray(dtype: DType, length: number): TensorData {
  return new arrays[dtype](length);
}

/** The dtype a typed array holds; undefined for bits, which could be of either half type. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Uint16Array) return undefined;
  return dtypes.find(({ name }) => data instanceof arrays[name])?.name;
}
