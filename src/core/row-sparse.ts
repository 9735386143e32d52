import { tensor } from './creation.js';
import { cpu, showDevice, type Device } from './devices.js';
import type { DType, TensorData } from './dtypes.js';
import { castElements, onHost } from './elements.js';
import type { Scalar } from './elementwise.js';
import { KVStoreError, show } from './errors.js';
import { toNumbers } from './int64.js';
import { assertOptions } from './options.js';
import { isAscending, readRowIds, sharedIds, type RowIds } from './row-ids.js';
import { RowIndex } from './row-index.js';
import { sameShape, showShape, sizeOf, toShape, type Shape } from './shape.js';
import {
  arrayOf,
  Tensor,
  zeros,
  type AnyTensor,
  type NestedNumbers,
  type TensorHandle,
  type TensorOptions,
} from './tensor.js';

const printedIds = 6;

/** A row-sparse tensor as plain data. `postMessage` copies this record, never what it points to. */
export interface RowSparseHandle {
  readonly shape: Shape;
  readonly indices: BigInt64Array;
  readonly rows: TensorHandle;
}

/** What `rowSparse` makes a tensor of. */
export interface RowSparseOptions extends TensorOptions {
  /** Of the whole tensor, absent rows included; one dimension at least. */
  readonly shape: Shape | number;
  /** Which rows are there, each once, in any order. */
  readonly indices: RowIds;
  /** One row an index, in the order of `indices`: nested arrays or a tensor, or all numbers flat. */
  readonly rows: AnyTensor | NestedNumbers<Scalar> | TensorData;
}

/**
 * A tensor of which only some rows are held, on shared memory; every other row is zero. Its shape
 * may be far larger than the memory of the machine.
 */
export class RowSparseTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /** The ids of the rows held, ascending, each once. */
  readonly indices: BigInt64Array;
  /** The rows held, of shape `[nnz, ...shape.slice(1)]`. */
  readonly rows: Tensor;

  private constructor(shape: Shape, indices: BigInt64Array, rows: Tensor) {
    this.shape = shape;
    this.dtype = rows.dtype;
    this.device = rows.device;
    this.indices = indices;
    this.rows = rows;
  }

  /**
   * Wraps what another thread sent. Throws `bad_argument` for what is no handle of a row-sparse
   * tensor: also when its indices are not ascending, unique and inside of the shape.
   */
  static fromHandle(handle: RowSparseHandle): RowSparseTensor {
    const { shape: given, indices, rows: rowsHandle } = Object(handle) as Partial<RowSparseHandle>;
    const shape = toRowShape(given);
    const rows = Tensor.fromHandle(rowsHandle!);
    const isWhole =
      indices instanceof BigInt64Array &&
      indices.buffer instanceof SharedArrayBuffer &&
      areRowsOf(shape, indices) &&
      sameShape(rows.shape, [indices.length, ...shape.slice(1)]);
    if (!isWhole) {
      throw new KVStoreError(
        'bad_argument',
        `expected a handle of a row-sparse tensor, got ${show(handle)}`,
      );
    }
    return new RowSparseTensor(shape, indices, rows);
  }

  /** Number of rows held. */
  get nnz(): number {
    return this.indices.length;
  }

  /** This tensor as plain data that `postMessage` can carry; both sides then share the elements. */
  handle(): RowSparseHandle {
    return { shape: this.shape, indices: this.indices, rows: this.rows.handle() };
  }

  /** All rows, those not held as zeros. Throws `memory_limit` where the machine cannot hold them. */
  toDense(): Tensor {
    const { dtype, device } = this;
    const dense = zeros(this.shape, { dtype, device: hostFor(device) });
    if (this.nnz === 0) return onto(device, dense);
    const [from, to] = [bytesOf(this.rows), bytesOf(dense)];
    const rowBytes = from.length / this.nnz;
    for (const [i, id] of toNumbers(this.indices).entries()) {
      to.set(from.subarray(i * rowBytes, (i + 1) * rowBytes), id * rowBytes);
    }
    return onto(device, dense);
  }

  /** The rows held, printed like a matrix; below them which they are, shape, dtype and device. */
  toString(): string {
    const text = this.rows.toString();
    // The last line is the summary of the rows as a tensor of their own.
    const matrix = text.slice(0, text.lastIndexOf('\n') + 1);
    const ids = Array.from(this.indices.subarray(0, printedIds), String);
    if (this.nnz > printedIds) ids.splice(printedIds / 2, Infinity, '...', ...this.#lastIds());
    const kind = `${this.shape.join('x')} ${this.dtype} ${showDevice(this.device)}`;
    return `${matrix}<RowSparseTensor ${kind}, rows [${ids.join(', ')}]>`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #lastIds(): string[] {
    return Array.from(this.indices.subarray(-printedIds / 2), String);
  }
}

/**
 * A row-sparse tensor of copies of `rows`, sorted by their `indices`. `dtype` defaults to that of
 * the rows as `tensor` would make one; they are cast where it is another. Throws
 * `row_id_out_of_range` for an id that is no row of `shape`, `bad_argument` for one that comes twice
 * and for a shape without dimensions, `shape_mismatch` when rows and indices do not fit.
 */
export function rowSparse(options: RowSparseOptions): RowSparseTensor {
  assertOptions(options, ['shape', 'indices', 'rows', 'dtype', 'device'], 'rowSparse');
  const shape = toRowShape(options.shape);
  const ids = readRowIds(flat(options.indices), shape[0]!);
  const rows = toRows(options, [ids.length, ...shape.slice(1)]);
  const sorted = isAscending(ids) ? { indices: sharedIds(ids), rows } : sortRows(ids, rows);
  const { indices } = sorted;
  return RowSparseTensor.fromHandle({ shape, indices, rows: sorted.rows.handle() });
}

/** `shape` as `toShape` gives it; a scalar has no rows, so that is `bad_argument`. */
function toRowShape(shape: unknown): Shape {
  const checked = toShape(shape);
  if (checked.length === 0) {
    throw new KVStoreError(
      'bad_argument',
      'expected a shape of at least one dimension for a row-sparse tensor, got []',
    );
  }
  return checked;
}

/** `indices`, if they have one dimension: one of more could only be a mistake. */
function flat(indices: unknown): unknown {
  const shape = indices instanceof Tensor ? indices.shape : undefined;
  if (shape !== undefined && shape.length !== 1) {
    throw new KVStoreError(
      'shape_mismatch',
      `indices expected one dimension, got shape ${showShape(shape)}`,
    );
  }
  if (Array.isArray(indices) && indices.some((id) => typeof id === 'object')) {
    throw new KVStoreError('shape_mismatch', 'indices expected one dimension, got nested arrays');
  }
  if (typeof indices !== 'object') {
    throw new KVStoreError('bad_argument', `expected a list of indices, got ${show(indices)}`);
  }
  return indices;
}

/** A copy of the rows given, as a tensor of `shape`. */
function toRows({ rows, dtype, device }: RowSparseOptions, shape: Shape): Tensor {
  const options = { ...(dtype && { dtype }), ...(device && { device }) };
  const given =
    rows instanceof Tensor
      ? copyOf(rows as AnyTensor, options)
      : tensor(rows as TensorData, options);
  const isFlat = given.shape.length === 1 && !(rows instanceof Tensor);
  if (!sameShape(given.shape, shape) && !(isFlat && given.size === sizeOf(shape))) {
    throw new KVStoreError(
      'shape_mismatch',
      `rows expected shape ${showShape(shape)}, one row an index, got ${showShape(given.shape)}`,
    );
  }
  return Tensor.fromHandle({ ...given.handle(), shape });
}

function copyOf(source: AnyTensor, options: TensorOptions): Tensor {
  const { dtype = source.dtype, device = source.device } = options;
  const copy = zeros(source.shape, { dtype, device });
  castElements(arrayOf(source), source.dtype, arrayOf(copy), dtype);
  return copy;
}

/** Indices and rows in ascending order of the ids. Throws `bad_argument` for an id that repeats. */
function sortRows(ids: Float64Array, rows: Tensor): { indices: BigInt64Array; rows: Tensor } {
  const given = sharedIds(ids);
  const places = new RowIndex();
  const slots = new BigInt64Array(ids.length);
  places.lookup(given, slots, true);
  // The first id that came before stands in a slot that is not its own.
  if (places.size < ids.length) {
    const at = toNumbers(slots).findIndex((slot, i) => slot !== i);
    throw new KVStoreError('bad_argument', `expected each index once, got ${ids[at]} again`);
  }
  const indices = sharedIds(ids.toSorted());
  places.lookup(indices, slots);
  const sorted = zeros(rows.shape, { dtype: rows.dtype, device: hostFor(rows.device) });
  const [from, to] = [bytesOf(rows), bytesOf(sorted)];
  const rowBytes = from.length / ids.length;
  for (const [i, slot] of toNumbers(slots).entries()) {
    to.set(from.subarray(slot * rowBytes, (slot + 1) * rowBytes), i * rowBytes);
  }
  return { indices, rows: onto(rows.device, sorted) };
}

/** Whether `indices` are rows of `shape`, ascending and each once. */
function areRowsOf(shape: Shape, indices: BigInt64Array): boolean {
  const ids = toNumbers(indices);
  return ids.length === 0 || (ids[0]! >= 0 && ids.at(-1)! < shape[0]! && isAscending(ids));
}

/** Where rows of a tensor on `device` are put in order: on the CPU. */
function hostFor(device: Device): Device {
  return device.type === 'cpu' ? device : cpu(0);
}

function onto(device: Device, made: Tensor): Tensor {
  return device.type === 'cpu' ? made : made.to(device);
}

function bytesOf(tensor: Tensor): Uint8Array {
  const data = onHost(arrayOf(tensor));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
