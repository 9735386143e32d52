import { assertDevice, cpu, showDevice, type Device } from './devices.js';
import { dtypeInfo, holds, type DType, type NumberData, type TensorData } from './dtypes.js';
import { castElements, codecOf, copyElements } from './elements.js';
import {
  addNumber,
  addScaled,
  fillWith,
  multiply,
  multiplyNumber,
  type Scalar,
} from './elementwise.js';
import { KVStoreError, show } from './errors.js';
import { formatTensor } from './format.js';
import { allocate } from './memory.js';
import { assertOptions } from './options.js';
import { sameShape, showShape, sizeOf, toShape, type Shape } from './shape.js';

/** A tensor as plain data. `postMessage` copies this record, never the elements it points to. */
export interface TensorHandle {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  readonly data: TensorData;
}

/** Numbers to make a tensor of: flat, or nested to the depth of its shape. Bigints are for int64. */
export type NestedNumbers<Element extends Scalar = number> =
  Element | readonly NestedNumbers<Element>[];

/** What an element of `Data` is in JavaScript. */
type ElementOf<Data extends TensorData> = Data extends BigInt64Array ? bigint : number;

/** A tensor of any dtype; `Tensor` alone is one whose elements are numbers or bits. */
export type AnyTensor = Tensor<TensorData>;

/** Options of what makes a tensor. */
export interface TensorOptions {
  /** Default `float32`. */
  readonly dtype?: DType;
  /** Default `cpu(0)`. */
  readonly device?: Device;
}

/**
 * A dense, row-major tensor on shared memory. Devices on other threads see the same bytes: hand one
 * over with `handle()` and `Tensor.fromHandle`.
 */
export class Tensor<Data extends TensorData = NumberData> implements TensorHandle {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /**
   * The elements, row by row, as a typed array on a `SharedArrayBuffer`: bits in a `Uint16Array` for
   * float16 and bfloat16, bigints for int64.
   */
  declare readonly data: Data; // Not a field of its own: a view has an accessor in its place.

  protected constructor({ shape, dtype, device, data }: TensorHandle & { readonly data: Data }) {
    this.shape = shape;
    this.dtype = dtype;
    this.device = device;
    this.data = data;
  }

  /** Wraps what another thread sent. Throws `bad_argument` for what is no tensor handle. */
  static fromHandle(handle: TensorHandle): Tensor {
    const shape = toShape((handle as Partial<TensorHandle> | null)?.shape);
    const { name: dtype } = dtypeInfo(handle.dtype);
    if (!holds(dtype, handle.data) || handle.data.length !== sizeOf(shape)) {
      throw new KVStoreError('bad_argument', `expected a tensor handle, got ${show(handle)}`);
    }
    if (!(handle.data.buffer instanceof SharedArrayBuffer)) {
      throw new KVStoreError('bad_argument', 'expected tensor data on a SharedArrayBuffer');
    }
    assertDevice(handle.device);
    return new Tensor({ shape, dtype, device: handle.device, data: handle.data as NumberData });
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** This tensor as plain data that `postMessage` can carry; both sides then share the elements. */
  handle(): TensorHandle {
    return { shape: this.shape, dtype: this.dtype, device: this.device, data: this.data };
  }

  /** A new tensor `this + x`, for a number or a tensor of the same shape and dtype. */
  add(x: AnyTensor | Scalar): Tensor<Data> {
    const out = this.#like();
    if (isScalar(x)) addNumber(this.dtype, this.data, this.#scalar(x, 'add'), out.data);
    else addScaled(this.dtype, [this.data, this.#matching(x, 'add').data], 1, out.data);
    return out;
  }

  /** A new tensor `this * x`, element by element. */
  mul(x: AnyTensor | Scalar): Tensor<Data> {
    const out = this.#like();
    if (isScalar(x)) multiplyNumber(this.dtype, this.data, this.#scalar(x, 'mul'), out.data);
    else multiply(this.dtype, [this.data, this.#matching(x, 'mul').data], out.data);
    return out;
  }

  /** In place: `this += scale * x`. Returns this tensor. */
  add_(x: AnyTensor | Scalar, scale: Scalar = 1): this {
    const by = this.#scalar(scale, 'add_');
    if (isScalar(x)) {
      const product = Number(this.#scalar(x, 'add_')) * Number(by);
      const exact = typeof x === 'bigint' || typeof by === 'bigint';
      addNumber(this.dtype, this.data, exact ? BigInt(x) * BigInt(by) : product, this.data);
    } else {
      const operands = [this.data, this.#matching(x, 'add_').data] as const;
      addScaled(this.dtype, operands, by, this.data);
    }
    return this;
  }

  /** In place: `this *= x`, element by element. Returns this tensor. */
  mul_(x: AnyTensor | Scalar): this {
    if (isScalar(x)) multiplyNumber(this.dtype, this.data, this.#scalar(x, 'mul_'), this.data);
    else multiply(this.dtype, [this.data, this.#matching(x, 'mul_').data], this.data);
    return this;
  }

  /**
   * In place: every element becomes `x`, which an integer dtype saturates as `astype` does. Returns
   * this tensor.
   */
  fill(x: Scalar): this {
    fillWith(this.dtype, this.data, this.#scalar(x, 'fill'));
    return this;
  }

  /** In place: takes over the elements of `source`, of the same shape and dtype. */
  copyFrom(source: AnyTensor): this {
    copyElements(this.#matching(source, 'copyFrom').data, this.data);
    return this;
  }

  /**
   * A copy in another dtype. Floats round to nearest, ties to even; integers truncate toward zero
   * and saturate, NaN becomes 0. Throws `bad_argument`, `memory_limit`.
   */
  astype(dtype: 'int64'): Tensor<BigInt64Array>;
  astype(dtype: DType): Tensor;
  astype(dtype: DType): AnyTensor {
    dtypeInfo(dtype); // None is not the default here.
    const out = zeros(this.shape, { dtype, device: this.device });
    castElements(this.data, this.dtype, out.data, dtype);
    return out;
  }

  /** A copy on `device`. Throws `cuda_unavailable` where the device cannot be had. */
  to(device: Device): Tensor<Data> {
    const out = zeros(this.shape, { dtype: this.dtype, device }) as AnyTensor;
    return out.copyFrom(this) as Tensor<Data>;
  }

  /**
   * The elements as nested arrays of the tensor's shape, as numbers or, of int64, as bigints; a
   * scalar gives a number.
   */
  toArray(): NestedNumbers<ElementOf<Data>> {
    type Nested = NestedNumbers<ElementOf<Data>>;
    const { get } = codecOf(this.dtype);
    const element = (offset: number): Scalar =>
      this.data instanceof BigInt64Array ? this.data[offset]! : get(this.data, offset);
    const build = (axis: number, offset: number, span: number): Nested => {
      if (axis === this.shape.length) return element(offset) as Nested;
      const inner = this.shape[axis] === 0 ? 0 : span / this.shape[axis]!;
      return Array.from({ length: this.shape[axis]! }, (_, i) =>
        build(axis + 1, offset + i * inner, inner),
      );
    };
    return build(0, 0, this.size);
  }

  /** The elements as a new `Float32Array` of this thread alone. */
  toFloat32(): Float32Array {
    const out = new Float32Array(this.size);
    castElements(this.data, this.dtype, out, 'float32');
    return out;
  }

  /** Printed like a matrix, with shape, dtype and device below. */
  toString(): string {
    return formatTensor(this.data, this.shape, this.dtype, showDevice(this.device));
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #like(): Tensor<Data> {
    const like: AnyTensor = zeros(this.shape, { dtype: this.dtype, device: this.device });
    return like as Tensor<Data>;
  }

  /** `x`, or `bad_argument` when it is no number for this dtype. */
  #scalar(x: unknown, method: string): Scalar {
    if (this.dtype === 'int64') {
      if (typeof x === 'bigint' || Number.isSafeInteger(x)) return x as Scalar;
      const message = `${method} of an int64 tensor expected a bigint or an integer, got ${show(x)}`;
      throw new KVStoreError('bad_argument', message);
    }
    if (typeof x === 'number') return x;
    throw new KVStoreError('bad_argument', `${method} expected a number, got ${show(x)}`);
  }

  #matching(other: unknown, method: string): AnyTensor {
    if (!(other instanceof Tensor)) {
      throw new KVStoreError('bad_argument', `${method} expected a tensor, got ${show(other)}`);
    }
    if (!sameShape(this.shape, other.shape)) {
      throw new KVStoreError(
        'shape_mismatch',
        `${method} expected shape ${showShape(this.shape)}, got ${showShape(other.shape)}`,
      );
    }
    if (this.dtype !== other.dtype) {
      throw new KVStoreError(
        'dtype_mismatch',
        `${method} expected dtype ${this.dtype}, got ${other.dtype}`,
      );
    }
    return other as AnyTensor;
  }
}

function isScalar(x: unknown): x is Scalar {
  return typeof x === 'number' || typeof x === 'bigint';
}

/** A tensor of zeros. Throws `bad_argument`, `memory_limit` or `cuda_unavailable`. */
export function zeros(
  shape: Shape | number,
  options: TensorOptions & { readonly dtype: 'int64' },
): Tensor<BigInt64Array>;
export function zeros(shape: Shape | number, options?: TensorOptions): Tensor;
export function zeros(shape: Shape | number, options: TensorOptions = {}): AnyTensor {
  assertOptions(options, ['dtype', 'device'], 'a tensor');
  const dtype = dtypeInfo(options.dtype ?? 'float32').name;
  const device = options.device ?? cpu(0);
  assertDevice(device);
  const checked = toShape(shape);
  const data = allocate(dtype, sizeOf(checked));
  return Tensor.fromHandle({ shape: checked, dtype, device, data });
}
