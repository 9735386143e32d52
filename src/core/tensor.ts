import { addNumber, addScaled, fillWith, multiply, multiplyNumber } from './arithmetic.js';
import {
  adopted,
  allocateOn,
  type DeviceArray,
  type Elements,
  type PlainArray,
} from './device-array.js';
import { assertDevice, cpu, showDevice, type Device } from './devices.js';
import { dtypeInfo, holds, type DType, type NumberData, type TensorData } from './dtypes.js';
import { castElements, codecOf, copyElements, onHost } from './elements.js';
import type { Scalar } from './elementwise.js';
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
  readonly data: Elements;
}

/** Numbers to make a tensor of: flat, or nested to the depth of its shape. Bigints are for int64. */
export type NestedNumbers<Element extends Scalar = number> =
  | Element
  | readonly NestedNumbers<Element>[];

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

/** Names the method of a tensor that gives its array, wherever that lives; see `arrayOf`. */
export const array = Symbol('array');

/** The elements of a tensor or of its handle, wherever they live. */
export function arrayOf(tensor: TensorHandle): Elements {
  return tensor instanceof Tensor ? tensor[array]() : tensor.data;
}

/**
 * A dense, row-major tensor on shared memory, or on a CUDA device. Other threads see the same bytes:
 * hand one over with `handle()` and `Tensor.fromHandle`; one on a CUDA device is to be kept until then.
 */
export class Tensor<Data extends TensorData = NumberData> implements TensorHandle {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /**
   * The elements, row by row, as a typed array on a `SharedArrayBuffer`: bits in a `Uint16Array` for
   * float16 and bfloat16, bigints for int64. Throws `bad_argument` on a CUDA device.
   */
  declare readonly data: Data; // Not a field of its own: others have an accessor in its place.

  protected constructor({ shape, dtype, device }: Omit<TensorHandle, 'data'>, data?: Data) {
    this.shape = shape;
    this.dtype = dtype;
    this.device = device;
    if (data !== undefined) this.data = data;
  }

  /** Wraps what another thread sent. Throws `bad_argument` for what is no tensor handle. */
  static fromHandle(handle: TensorHandle): Tensor {
    const shape = toShape((handle as Partial<TensorHandle> | null)?.shape);
    const { name: dtype } = dtypeInfo(handle.dtype);
    if (isOnCuda(handle.device)) {
      const data = deviceArrayOf(handle, dtype);
      if (data?.length === sizeOf(shape)) {
        return new DeviceTensor({ shape, dtype, device: handle.device, data });
      }
      throw new KVStoreError('bad_argument', `expected a tensor handle, got ${show(handle)}`);
    }
    const data = arrayOf(handle);
    if (!holds(dtype, data) || data.length !== sizeOf(shape)) {
      throw new KVStoreError('bad_argument', `expected a tensor handle, got ${show(handle)}`);
    }
    if (!(data.buffer instanceof SharedArrayBuffer)) {
      throw new KVStoreError('bad_argument', 'expected tensor data on a SharedArrayBuffer');
    }
    assertDevice(handle.device);
    return new Tensor({ shape, dtype, device: handle.device }, data as NumberData);
  }

  /** Number of elements. */
  get size(): number {
    return this[array]().length;
  }

  /** This tensor as plain data that `postMessage` can carry; both sides then share the elements. */
  handle(): TensorHandle {
    return { shape: this.shape, dtype: this.dtype, device: this.device, data: this[array]() };
  }

  [array](): Elements {
    return this.data;
  }

  /** A new tensor `this + x`, for a number or a tensor of the same shape and dtype. */
  add(x: AnyTensor | Scalar): Tensor<Data> {
    const out = this.#like();
    if (isScalar(x)) addNumber(this.dtype, this[array](), this.#scalar(x, 'add'), out[array]());
    else addScaled(this.dtype, [this[array](), this.#matching(x, 'add')[array]()], 1, out[array]());
    return out;
  }

  /** A new tensor `this * x`, element by element. */
  mul(x: AnyTensor | Scalar): Tensor<Data> {
    const out = this.#like();
    if (isScalar(x))
      multiplyNumber(this.dtype, this[array](), this.#scalar(x, 'mul'), out[array]());
    else multiply(this.dtype, [this[array](), this.#matching(x, 'mul')[array]()], out[array]());
    return out;
  }

  /** In place: `this += scale * x`. Returns this tensor. */
  add_(x: AnyTensor | Scalar, scale: Scalar = 1): this {
    const by = this.#scalar(scale, 'add_');
    if (isScalar(x)) {
      const product = Number(this.#scalar(x, 'add_')) * Number(by);
      const exact = typeof x === 'bigint' || typeof by === 'bigint';
      addNumber(this.dtype, this[array](), exact ? BigInt(x) * BigInt(by) : product, this[array]());
    } else {
      const operands = [this[array](), this.#matching(x, 'add_')[array]()] as const;
      addScaled(this.dtype, operands, by, this[array]());
    }
    return this;
  }

  /** In place: `this *= x`, element by element. Returns this tensor. */
  mul_(x: AnyTensor | Scalar): this {
    if (isScalar(x))
      multiplyNumber(this.dtype, this[array](), this.#scalar(x, 'mul_'), this[array]());
    else multiply(this.dtype, [this[array](), this.#matching(x, 'mul_')[array]()], this[array]());
    return this;
  }

  /**
   * In place: every element becomes `x`, which an integer dtype saturates as `astype` does. Returns
   * this tensor.
   */
  fill(x: Scalar): this {
    fillWith(this.dtype, this[array](), this.#scalar(x, 'fill'));
    return this;
  }

  /** In place: takes over the elements of `source`, of the same shape and dtype. */
  copyFrom(source: AnyTensor): this {
    copyElements(this.#matching(source, 'copyFrom')[array](), this[array]());
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
    castElements(this[array](), this.dtype, out[array](), dtype);
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
    const data = onHost(this[array]());
    const element = (offset: number): Scalar =>
      data instanceof BigInt64Array ? data[offset]! : get(data, offset);
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
    castElements(onHost(this[array]()), this.dtype, out, 'float32');
    return out;
  }

  /** Printed like a matrix, with shape, dtype and device below. */
  toString(): string {
    return formatTensor(onHost(this[array]()), this.shape, this.dtype, showDevice(this.device));
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
      const wanted = method === 'copyFrom' ? 'a tensor' : 'a tensor or a number';
      throw new KVStoreError('bad_argument', `${method} expected ${wanted}, got ${show(other)}`);
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

/** A tensor whose elements are on a CUDA device. */
class DeviceTensor extends Tensor {
  readonly #array: DeviceArray;

  static {
    Object.defineProperty(DeviceTensor.prototype, 'data', {
      get(this: DeviceTensor): never {
        throw new KVStoreError(
          'bad_argument',
          `data expected a tensor on a CPU device, but this one lives on ${showDevice(this.device)}: ` +
            'copy it with to(cpu())',
        );
      },
    });
  }

  constructor(handle: Omit<TensorHandle, 'data'> & { readonly data: DeviceArray }) {
    super(handle);
    this.#array = handle.data;
  }

  override [array](): Elements {
    return this.#array;
  }
}

/** Whether `device`, which may be anything, is a CUDA device. */
function isOnCuda(device: unknown): device is Device {
  return (device as Partial<Device> | null | undefined)?.type === 'cuda';
}

/** What a handle of a tensor on a CUDA device holds, adopted; undefined where it does not fit. */
function deviceArrayOf(handle: TensorHandle, dtype: DType): DeviceArray | undefined {
  assertDevice(handle.device);
  const data = arrayOf(handle) as Partial<PlainArray> | null | undefined;
  if (data?.dtype !== dtype || data.device !== handle.device.index) return undefined;
  const counts = [data.id, data.byteOffset, data.length];
  if (!counts.every((each) => Number.isSafeInteger(each) && each! >= 0)) return undefined;
  const held = adopted(data as PlainArray) as DeviceArray;
  return held === data || held.isInside ? held : undefined;
}

function isScalar(x: unknown): x is Scalar {
  return typeof x === 'number' || typeof x === 'bigint';
}

/** `length` zeros on `device`. Throws `memory_limit`, `cuda_unavailable`, `peer_dead`. */
export function newElements(dtype: DType, length: number, device: Device): Elements {
  return device.type === 'cuda' ? allocateOn(device.index, dtype, length) : allocate(dtype, length);
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
  const data = newElements(dtype, sizeOf(checked), device);
  return Tensor.fromHandle({ shape: checked, dtype, device, data });
}
