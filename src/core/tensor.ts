import { assertDevice, cpu, showDevice, type Device } from './devices.js';
import { dtypeInfo, dtypeOf, type DType, type TensorData } from './dtypes.js';
import { addNumber, addScaled, multiply, multiplyNumber } from './elementwise.js';
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

/** Numbers to make a tensor of: flat, or nested to the depth of its shape. */
export type NestedNumbers = number | readonly NestedNumbers[];

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
export class Tensor implements TensorHandle {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /** The elements, row by row, as a typed array on a `SharedArrayBuffer`. */
  readonly data: TensorData;

  private constructor({ shape, dtype, device, data }: TensorHandle) {
    this.shape = shape;
    this.dtype = dtype;
    this.device = device;
    this.data = data;
  }

  /** Wraps what another thread sent. Throws `bad_argument` for what is no tensor handle. */
  static fromHandle(handle: TensorHandle): Tensor {
    const shape = toShape((handle as Partial<TensorHandle> | null)?.shape);
    const dtype = dtypeOf(handle.data);
    if (!dtype || dtype !== handle.dtype || handle.data.length !== sizeOf(shape)) {
      throw new KVStoreError('bad_argument', `expected a tensor handle, got ${show(handle)}`);
    }
    if (!(handle.data.buffer instanceof SharedArrayBuffer)) {
      throw new KVStoreError('bad_argument', 'expected tensor data on a SharedArrayBuffer');
    }
    assertDevice(handle.device);
    return new Tensor({ shape, dtype, device: handle.device, data: handle.data });
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
  add(x: Tensor | number): Tensor {
    const out = this.#like();
    if (typeof x === 'number') addNumber(this.data, x, out.data);
    else addScaled(this.data, this.#matching(x, 'add').data, 1, out.data);
    return out;
  }

  /** A new tensor `this * x`, element by element. */
  mul(x: Tensor | number): Tensor {
    const out = this.#like();
    if (typeof x === 'number') multiplyNumber(this.data, x, out.data);
    else multiply(this.data, this.#matching(x, 'mul').data, out.data);
    return out;
  }

  /** In place: `this += scale * x`. Returns this tensor. */
  add_(x: Tensor | number, scale = 1): this {
    if (typeof scale !== 'number') {
      throw new KVStoreError('bad_argument', `add_ expected a number as scale, got ${show(scale)}`);
    }
    if (typeof x === 'number') addNumber(this.data, scale * x, this.data);
    else addScaled(this.data, this.#matching(x, 'add_').data, scale, this.data);
    return this;
  }

  /** In place: `this *= x`, element by element. Returns this tensor. */
  mul_(x: Tensor | number): this {
    if (typeof x === 'number') multiplyNumber(this.data, x, this.data);
    else multiply(this.data, this.#matching(x, 'mul_').data, this.data);
    return this;
  }

  /** In place: every element becomes `x`. Returns this tensor. */
  fill(x: number): this {
    if (typeof x !== 'number') {
      throw new KVStoreError('bad_argument', `fill expected a number, got ${show(x)}`);
    }
    this.data.fill(x);
    return this;
  }

  /** In place: takes over the elements of `source`, of the same shape and dtype. */
  copyFrom(source: Tensor): this {
    this.data.set(this.#matching(source, 'copyFrom').data);
    return this;
  }

  /** A copy on `device`. Throws `cuda_unavailable` where the device cannot be had. */
  to(device: Device): Tensor {
    return zeros(this.shape, { dtype: this.dtype, device }).copyFrom(this);
  }

  /** The elements as nested arrays of the tensor's shape; a scalar gives a number. */
  toArray(): NestedNumbers {
    const build = (axis: number, offset: number, span: number): NestedNumbers => {
      if (axis === this.shape.length) return this.data[offset]!;
      const inner = this.shape[axis] === 0 ? 0 : span / this.shape[axis]!;
      return Array.from({ length: this.shape[axis]! }, (_, i) =>
        build(axis + 1, offset + i * inner, inner),
      );
    };
    return build(0, 0, this.size);
  }

  /** The elements as a new `Float32Array` of this thread alone. */
  toFloat32(): Float32Array {
    return Float32Array.from(this.data);
  }

  /** Printed like a matrix, with shape, dtype and device below. */
  toString(): string {
    return formatTensor(this.data, this.shape, this.dtype, showDevice(this.device));
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #like(): Tensor {
    return zeros(this.shape, { dtype: this.dtype, device: this.device });
  }

  #matching(other: unknown, method: string): Tensor {
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
    return other;
  }
}

/** A tensor of zeros. Throws `bad_argument`, `unsupported`, `memory_limit` or `cuda_unavailable`. */
export function zeros(shape: Shape | number, options: TensorOptions = {}): Tensor {
  assertOptions(options, ['dtype', 'device'], 'a tensor');
  const dtype = dtypeInfo(options.dtype ?? 'float32').name;
  const device = options.device ?? cpu(0);
  assertDevice(device);
  const checked = toShape(shape);
  const data = allocate(dtype, sizeOf(checked));
  return Tensor.fromHandle({ shape: checked, dtype, device, data });
}

/** A tensor of ones. Throws as `zeros` does. */
export function ones(shape: Shape | number, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** A tensor whose elements are all `x`. Throws as `zeros` does. */
export function full(shape: Shape | number, x: number, options: TensorOptions = {}): Tensor {
  if (typeof x !== 'number') {
    throw new KVStoreError('bad_argument', `full expected a number to fill with, got ${show(x)}`);
  }
  return zeros(shape, options).fill(x);
}

/**
 * A tensor of `data`: a number, nested arrays, or a typed array. `shape` defaults to that of the
 * nesting, `dtype` to that of a typed array and else `float32`. Throws `shape_mismatch` when the
 * count does not fit `shape` or nested rows differ in length.
 */
export function tensor(
  data: NestedNumbers | TensorData,
  options: TensorOptions & { readonly shape?: Shape } = {},
): Tensor {
  assertOptions(options, ['dtype', 'device', 'shape'], 'tensor');
  const typed = ArrayBuffer.isView(data);
  if (typed && dtypeOf(data) === undefined) {
    throw new KVStoreError(
      'dtype_mismatch',
      `expected a Float32Array, Float64Array or Int32Array, got ${show(data)}`,
    );
  }
  const nested = typed ? [data.length] : nestedShape(data as NestedNumbers);
  const shape = toShape(options.shape ?? nested);
  if (sizeOf(shape) !== sizeOf(nested)) {
    throw new KVStoreError(
      'shape_mismatch',
      `shape ${showShape(shape)} expected ${sizeOf(shape)} numbers, got ${sizeOf(nested)}`,
    );
  }
  const dtype = options.dtype ?? (typed ? dtypeOf(data)! : 'float32');
  const out = zeros(shape, { dtype, device: options.device ?? cpu(0) });
  out.data.set(typed ? data : flatten(data as NestedNumbers));
  return out;
}

function nestedShape(data: NestedNumbers): Shape {
  if (typeof data === 'number') return [];
  if (!Array.isArray(data)) {
    throw new KVStoreError('bad_argument', `expected numbers or nested arrays, got ${show(data)}`);
  }
  const rows = data as readonly NestedNumbers[];
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

function flatten(data: NestedNumbers): number[] {
  return typeof data === 'number' ? [data] : data.flatMap(flatten);
}
