import { cpu } from './devices.js';
import { dtypeInfo, dtypeOf, holds, type DType, type TensorData } from './dtypes.js';
import { castElements, copyElements } from './elements.js';
import type { Scalar } from './elementwise.js';
import { KVStoreError, show } from './errors.js';
import { assertOptions } from './options.js';
import { sameShape, showShape, sizeOf, toShape, type Shape } from './shape.js';
import {
  arrayOf,
  zeros,
  type AnyTensor,
  type NestedNumbers,
  type Tensor,
  type TensorOptions,
} from './tensor.js';

type Int64Options = TensorOptions & { readonly dtype: 'int64' };

/** A tensor of ones. Throws as `zeros` does. */
export function ones(shape: Shape | number, options: Int64Options): Tensor<BigInt64Array>;
export function ones(shape: Shape | number, options?: TensorOptions): Tensor;
export function ones(shape: Shape | number, options: TensorOptions = {}): AnyTensor {
  return full(shape, 1, options);
}

/** A tensor whose elements are all `x`, a bigint only for int64. Throws as `zeros` does. */
export function full(
  shape: Shape | number,
  x: Scalar,
  options: Int64Options,
): Tensor<BigInt64Array>;
export function full(shape: Shape | number, x: number, options?: TensorOptions): Tensor;
export function full(shape: Shape | number, x: Scalar, options: TensorOptions = {}): AnyTensor {
  if (typeof x !== 'number' && (typeof x !== 'bigint' || options.dtype !== 'int64')) {
    throw new KVStoreError('bad_argument', `full expected a number to fill with, got ${show(x)}`);
  }
  return zeros(shape, options).fill(x);
}

type TensorOf = TensorOptions & { readonly shape?: Shape };

/**
 * A tensor of `data`: a number, nested arrays, or a typed array, which is cast where `dtype` says
 * another one; a `Uint16Array` holds the bits of float16 or bfloat16, and `dtype` says of which.
 * `shape` defaults to that of the nesting, `dtype` to that of a typed array, `int64` for bigints, and
 * else `float32`. Throws `shape_mismatch` when the count does not fit `shape` or nested rows differ
 * in length, `dtype_mismatch` for an array that holds no dtype.
 */
export function tensor(
  data: BigInt64Array | NestedNumbers<bigint>,
  options?: { readonly dtype?: 'int64' } & Omit<TensorOf, 'dtype'>,
): Tensor<BigInt64Array>;
export function tensor(
  data: NestedNumbers | TensorData,
  options: TensorOf & { readonly dtype: 'int64' },
): Tensor<BigInt64Array>;
export function tensor(data: NestedNumbers | TensorData, options?: TensorOf): Tensor;
export function tensor(
  data: NestedNumbers<Scalar> | TensorData,
  options: TensorOf = {},
): AnyTensor {
  assertOptions(options, ['dtype', 'device', 'shape'], 'tensor');
  const { elements, from, usual, nested } = ArrayBuffer.isView(data)
    ? typed(data, options)
    : flat(data);
  const shape = toShape(options.shape ?? nested);
  if (sizeOf(shape) !== sizeOf(nested)) {
    throw new KVStoreError(
      'shape_mismatch',
      `shape ${showShape(shape)} expected ${sizeOf(shape)} numbers, got ${sizeOf(nested)}`,
    );
  }
  const dtype = dtypeInfo(options.dtype ?? usual).name;
  const out: AnyTensor = zeros(shape, { dtype, device: options.device ?? cpu(0) });
  if (from === dtype) copyElements(elements, arrayOf(out));
  else castElements(elements, from, arrayOf(out), dtype);
  return out;
}

/** Elements to make a tensor of, their dtype, and the shape they came in. */
interface Source {
  readonly elements: TensorData;
  readonly from: DType;
  /** The dtype of the tensor, unless another is asked for. */
  readonly usual: DType;
  readonly nested: Shape;
}

function typed(data: TensorData, { dtype }: TensorOf): Source {
  const from = dtypeOf(data) ?? (dtype !== undefined && holds(dtype, data) ? dtype : undefined);
  if (from !== undefined) return { elements: data, from, usual: from, nested: [data.length] };
  const expected =
    (data as unknown) instanceof Uint16Array
      ? 'dtype float16 or bfloat16 with a Uint16Array, which holds bits'
      : 'a typed array that holds a dtype';
  const got = (data as unknown) instanceof Uint16Array ? show(dtype) : show(data);
  throw new KVStoreError('dtype_mismatch', `tensor expected ${expected}, got ${got}`);
}

/** Numbers are taken as float64, bigints as int64; one kind in a tensor. */
function flat(data: NestedNumbers<Scalar>): Source {
  const nested = nestedShape(data);
  const list = flatten(data);
  const bigints = typeof list[0] === 'bigint';
  const stranger = list.find((x) => (typeof x === 'bigint') !== bigints);
  if (stranger !== undefined) {
    const message = `expected only ${typeof list[0]}s, as the first one is, got ${show(stranger)}`;
    throw new KVStoreError('bad_argument', message);
  }
  return bigints
    ? { elements: BigInt64Array.from(list as bigint[]), from: 'int64', usual: 'int64', nested }
    : { elements: Float64Array.from(list as number[]), from: 'float64', usual: 'float32', nested };
}

function nestedShape(data: NestedNumbers<Scalar>): Shape {
  if (typeof data === 'number' || typeof data === 'bigint') return [];
  if (!Array.isArray(data)) {
    throw new KVStoreError('bad_argument', `expected numbers or nested arrays, got ${show(data)}`);
  }
  const rows = data as readonly NestedNumbers<Scalar>[];
  if (rows.length === 0) return [0];
  const inner = nestedShape(rows[0]!);
  // Not forEach, which passes over holes.
  for (const [i, row] of rows.entries()) {
    const shape = nestedShape(row);
    if (sameShape(inner, shape)) continue;
    throw new KVStoreError(
      'shape_mismatch',
      `nested arrays expected rows of shape ${showShape(inner)}, got ${showShape(shape)} at row ${i}`,
    );
  }
  return [rows.length, ...inner];
}

function flatten(data: NestedNumbers<Scalar>): readonly Scalar[] {
  return typeof data === 'object' ? data.flatMap(flatten) : [data];
}
