import { KVStoreError, show } from './errors.js';

/** The element types of the store, by their names in NumPy and MXNet. */
export type DType =
  'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64';

/** Typed arrays that hold tensors. The half types are held as their bits. */
export type TensorData = Float32Array | Float64Array | Int32Array;

/** What the library knows of a dtype. */
export interface DTypeInfo {
  readonly name: DType;
  readonly bytes: number;
  /** How elements are held: numbers, 16-bit patterns of a float, or bigints. */
  readonly elements: 'number' | 'bits' | 'bigint';
  readonly floating: boolean;
  /** Whether tensors of this dtype can be made. */
  readonly supported: boolean;
}

const table: Readonly<Record<DType, DTypeInfo>> = {
  float32: { name: 'float32', bytes: 4, elements: 'number', floating: true, supported: true },
  float64: { name: 'float64', bytes: 8, elements: 'number', floating: true, supported: true },
  float16: { name: 'float16', bytes: 2, elements: 'bits', floating: true, supported: false },
  bfloat16: { name: 'bfloat16', bytes: 2, elements: 'bits', floating: true, supported: false },
  int8: { name: 'int8', bytes: 1, elements: 'number', floating: false, supported: false },
  uint8: { name: 'uint8', bytes: 1, elements: 'number', floating: false, supported: false },
  int32: { name: 'int32', bytes: 4, elements: 'number', floating: false, supported: true },
  int64: { name: 'int64', bytes: 8, elements: 'bigint', floating: false, supported: false },
};

/** Every dtype, supported or not, in the order of the table. */
export const dtypes: readonly DTypeInfo[] = Object.values(table);

/** Facts about `dtype`. Throws `bad_argument` for an unknown name, `unsupported` for one to come. */
export function dtypeInfo(dtype: unknown): DTypeInfo {
  const info = typeof dtype === 'string' && Object.hasOwn(table, dtype) && table[dtype as DType];
  if (!info) {
    const names = dtypes.map((each) => each.name).join(', ');
    throw new KVStoreError('bad_argument', `expected a dtype (${names}), got ${show(dtype)}`);
  }
  if (!info.supported) {
    throw new KVStoreError(
      'unsupported',
      `expected dtype float32, float64 or int32, got ${info.name}: this release has no tensors of it`,
    );
  }
  return info;
}

/** A view of `length` elements of `dtype` on `buffer`. */
export function viewOf(
  dtype: DType,
  buffer: SharedArrayBuffer,
  byteOffset: number,
  length: number,
): TensorData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
    case 'float64':
      return new Float64Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    default:
      throw new KVStoreError('unsupported', `no tensors of dtype ${dtype} in this release`);
  }
}

/** The dtype a typed array holds, or undefined for an array that is no tensor data. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int32Array) return 'int32';
  return undefined;
}
