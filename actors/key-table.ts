import type { MemoryBudget } from '../src/core/memory.js';
import { cpu, type Device } from '../src/core/devices.js';
import { DeviceArray } from '../src/core/device-array.js';
import { dtypeInfo, viewOf, type DType } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import type { Key } from '../src/core/keys.js';
import {
  isRowSparse,
  type Rank,
  type Request,
  type WireGroup,
  type WireTensor,
} from '../src/core/protocol.js';
import { sameShape, showShape, sizeOf, type Shape } from '../src/core/shape.js';
import { arrayOf, newElements, type TensorHandle } from '../src/core/tensor.js';
import type { Kernels } from '../native/kernels.js';
import { Entry, type HeldTensor } from './entry.js';
import type { EntryGroup } from './rounds.js';
import { StoredRows } from './stored-rows.js';

/** A request for rows of one key. */
type RowsRequest = Request & { readonly type: 'pullRows' };

/** The store's keys. Every check of a request happens here, before anything is changed. */
export class KeyTable {
  readonly #entries = new Map<Key, Entry>();
  /** By their order. */
  readonly #list: Entry[] = [];
  readonly #budget: MemoryBudget;
  readonly #kernels: Kernels;
  readonly #onDevices: boolean;
  #kind: 'number' | 'string' | undefined;

  /** `onDevices`: a key lives on the CUDA device of the value that it is made of, else on the CPU. */
  constructor(budget: MemoryBudget, kernels: Kernels, onDevices = false) {
    this.#budget = budget;
    this.#kernels = kernels;
    this.#onDevices = onDevices;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  entries(): readonly Entry[] {
    return this.#list;
  }

  /**
   * Makes a key of each value, for rank 0, or none at all. Throws `duplicate_key`,
   * `mixed_key_types`, `memory_limit`, `peer_dead`.
   */
  create(values: readonly WireGroup[]): readonly Entry[] {
    this.assertOneKind(values.map(({ key }) => key));
    const seen = new Set<Key>();
    let bytes = 0;
    for (const { key, tensors } of values) {
      if (seen.has(key)) throw twice(key);
      if (this.#entries.has(key)) throw duplicate(key);
      seen.add(key);
      assertThere(key, tensors[0]!);
      const held = heldOf(tensors[0]!);
      bytes += dtypeInfo(held.dtype).bytes * sizeOf(held.shape);
    }
    const what = values.length === 1 ? showKey(values[0]!.key) : `init of ${values.length} keys`;
    this.#budget.reserve(bytes, what, values[0]?.key);
    const made = this.#allocateAll(values, bytes);
    for (const entry of made) this.#add(entry);
    return made;
  }

  /** The entry of `key`. Throws `unknown_key`. */
  find(key: Key): Entry {
    const entry = this.#entries.get(key);
    if (entry === undefined) throw unknown(key);
    return entry;
  }

  /** Makes `stored`, whose bytes the budget has counted, the stored tensor of a new key. */
  put(key: Key, like: Pick<TensorHandle, 'dtype' | 'shape'>, stored: HeldTensor): Entry {
    const handle = likeOf({ ...like, device: cpu(0) });
    const entry = new Entry(key, this.#entries.size, handle, stored);
    entry.initialised.add(0);
    this.#add(entry);
    return entry;
  }

  /** Rows `ids` of a key stored row-sparse. */
  rowsOf(ids: BigInt64Array): StoredRows {
    return new StoredRows(ids, this.#kernels.findRows);
  }

  /** Throws `duplicate_key` when `rank` has initialised one of `keys` before. */
  assertNotInitialised(keys: readonly Key[], rank: Rank): void {
    const seen = new Set<Key>();
    for (const key of keys) {
      if (seen.has(key)) throw twice(key);
      if (this.#entries.get(key)?.initialised.has(rank)) throw duplicate(key);
      seen.add(key);
    }
  }

  /** Notes that `rank` knows these keys. Its values must be like the stored ones. */
  join(values: readonly WireGroup[], rank: Rank): void {
    for (const { entry } of this.alike(values)) entry.initialised.add(rank);
  }

  /** The entries of values that are like the stored ones. Throws where they are not. */
  alike(values: readonly WireGroup[]): readonly EntryGroup[] {
    const groups = this.pushGroups(values);
    for (const { entry, tensors } of groups) {
      if (entry.rows === undefined && tensors.some(isRowSparse)) throw wrongStorage(entry);
    }
    return groups;
  }

  /** Device `rank` starts anew, and may initialise each key once more. */
  returned(rank: Rank): void {
    for (const { initialised } of this.#list) initialised.delete(rank);
  }

  /** The entries of a push in order of reduction: ascending keys, or string keys by init. */
  pushGroups(groups: readonly WireGroup[]): EntryGroup[] {
    for (const { key, tensors } of groups) assertOneStorage(key, tensors);
    return this.#inOrder(groups, (entry, value) => {
      assertFits(entry.key, entry.like, value, 'value');
      if (entry.rows !== undefined && !isRowSparse(value)) throw wrongStorage(entry);
      const { dtype } = heldOf(value);
      if (dtype === entry.like.dtype) return;
      throw new KVStoreError(
        'dtype_mismatch',
        `${showKey(entry.key)} expected a value of dtype ${entry.like.dtype}, got ${dtype}`,
        { key: entry.key },
      );
    });
  }

  /**
   * The entries of a pull. Without outs they keep the caller's order, which names the results. Throws
   * `unsupported` for a view of a key stored row-sparse.
   */
  pullGroups(
    groups: readonly WireGroup<TensorHandle>[],
    views = false,
  ): EntryGroup<TensorHandle>[] {
    const fresh = groups.some(({ tensors }) => tensors.length === 0);
    const found = this.#inOrder(
      groups,
      (entry, out) => assertFits(entry.key, entry.like, out, 'out'),
      !fresh,
    );
    const sparse = views ? found.find(({ entry }) => entry.rows !== undefined) : undefined;
    if (sparse === undefined) return found;
    const { key } = sparse.entry;
    const message = `a view expected a dense key, but ${showKey(key)} is stored row-sparse`;
    throw new KVStoreError('unsupported', message, { key });
  }

  /** The entry of a pull of rows. Throws `row_id_out_of_range`, `shape_mismatch`. */
  rowGroup({ pull: [group], rowIds }: RowsRequest): EntryGroup<TensorHandle> {
    const { key, tensors } = group!;
    const entry = this.find(key);
    const { shape } = entry.like;
    const rows = shape[0] ?? 0;
    const last = rowIds === 'held' ? undefined : rowIds.at(-1);
    if (last !== undefined && last >= BigInt(rows)) {
      const message = `${showKey(key)} expected row ids from 0 up to ${rows - 1}, got ${last}`;
      throw new KVStoreError('row_id_out_of_range', message, { key });
    }
    const wanted = { shape: entry.shapeOf(rowIds.length) };
    for (const out of tensors) assertFits(key, wanted, out, 'out');
    return { entry, tensors };
  }

  /** Checks the outs of a broadcast against its values, before the keys exist. */
  checkOuts(values: readonly WireGroup[], outs: readonly WireGroup<TensorHandle>[]): void {
    const shapes = new Map(values.map(({ key, tensors }) => [key, tensors[0]!]));
    for (const { key, tensors } of outs) {
      const like = shapes.get(key);
      if (like === undefined) throw unknown(key);
      for (const out of tensors) assertFits(key, like, out, 'out');
    }
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    this.#list.push(entry);
    this.#kind ??= kindOf(entry.key);
  }

  #inOrder<Wire extends WireTensor>(
    groups: readonly WireGroup<Wire>[],
    check: (entry: Entry, tensor: Wire) => void,
    sort = true,
  ): EntryGroup<Wire>[] {
    const found = groups.map(({ key, tensors }) => {
      const entry = this.#entries.get(key);
      if (entry === undefined) {
        this.assertOneKind([key]);
        throw unknown(key);
      }
      for (const tensor of tensors) check(entry, tensor);
      return { entry, tensors };
    });
    return sort ? found.sort((a, b) => compare(a.entry, b.entry)) : found;
  }

  #allocateAll(values: readonly WireGroup[], bytes: number): Entry[] {
    try {
      const made = values.map(({ key, tensors }, i) =>
        this.#newEntry(key, this.#entries.size + i, tensors[0]!),
      );
      for (const { cudaDevice } of made) {
        if (cudaDevice !== undefined) this.#kernels.flush(cudaDevice);
      }
      return made;
    } catch (error) {
      this.#budget.release(bytes);
      throw error;
    }
  }

  #newEntry(key: Key, order: number, value: WireTensor): Entry {
    const held = heldOf(value);
    const { dtype, shape, device } = held;
    const place = this.#onDevices || device.type === 'cpu' ? device : cpu(0);
    const data = newElements(dtype, sizeOf(shape), place);
    this.#kernels.copy(arrayOf(held), [data]);
    const rows = isRowSparse(value) ? this.rowsOf(value.indices) : undefined;
    const entry = new Entry(key, order, likeOf({ dtype, shape: value.shape, device: place }), {
      data,
      rows,
    });
    entry.initialised.add(0);
    return entry;
  }

  /** Throws `mixed_key_types` unless `keys` are of the kind of the store's, and of one kind. */
  assertOneKind(keys: readonly Key[]): void {
    const kind = this.#kind ?? (keys[0] === undefined ? undefined : kindOf(keys[0]));
    const stranger = keys.find((key) => kindOf(key) !== kind);
    if (stranger === undefined) return;
    throw new KVStoreError(
      'mixed_key_types',
      `expected a ${kind} key, as the store's other keys are, got ${showKey(stranger)}`,
      { key: stranger },
    );
  }
}

const noMemory = new SharedArrayBuffer(0);

/** A handle without elements: it is kept as long as its key, and must not keep any. */
function likeOf({ shape, dtype, device }: About): TensorHandle {
  return { shape, dtype, device, data: viewOf(dtype, noMemory, 0, 0) };
}

/** What a tensor is, its elements apart. */
interface About {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
}

function kindOf(key: Key): 'number' | 'string' {
  return typeof key === 'number' ? 'number' : 'string';
}

function compare(a: Entry, b: Entry): number {
  if (typeof a.key === 'number' && typeof b.key === 'number') return a.key - b.key;
  return a.order - b.order;
}

/** What holds the elements of a value: all of them, or those of its rows. */
function heldOf(value: WireTensor): TensorHandle {
  return isRowSparse(value) ? value.rows : value;
}

/** Throws `stype_mismatch` where a push holds dense and row-sparse values. */
function assertOneStorage(key: Key, tensors: readonly WireTensor[]): void {
  const sparse = tensors.filter((each) => isRowSparse(each)).length;
  if (sparse === 0 || sparse === tensors.length) return;
  throw new KVStoreError(
    'stype_mismatch',
    `${showKey(key)} expected values of one storage type, got ${tensors.length - sparse} dense and ` +
      `${sparse} row-sparse`,
    { key },
  );
}

function wrongStorage({ key, rows }: Entry): KVStoreError {
  const [expected, got] = rows === undefined ? ['dense', 'row-sparse'] : ['row-sparse', 'dense'];
  return new KVStoreError(
    'stype_mismatch',
    `${showKey(key)} expected a ${expected} value, as it is stored, got a ${got} one`,
    { key },
  );
}

/**
 * Throws `peer_dead` for a tensor on a CUDA device that is gone: found later it would take along all
 * that is sent with it.
 */
function assertThere(key: Key, tensor: WireTensor): void {
  const data = arrayOf(heldOf(tensor));
  if (!(data instanceof DeviceArray)) return;
  try {
    data.assertHeld();
  } catch (error) {
    if (!(error instanceof KVStoreError)) throw error;
    throw new KVStoreError(error.code, `${showKey(key)}: ${error.message}`, { key, cause: error });
  }
}

/** What has a shape. */
interface Shaped {
  readonly shape: Shape;
}

/** Throws where a value or an out cannot be that of a tensor like `like`. */
function assertFits(key: Key, like: Shaped, tensor: WireTensor, what: string): void {
  assertThere(key, tensor);
  if (sameShape(like.shape, tensor.shape)) return;
  throw new KVStoreError(
    'shape_mismatch',
    `${showKey(key)} expected ${what} of shape ${showShape(like.shape)}, ` +
      `got ${showShape(tensor.shape)}`,
    { key },
  );
}

function duplicate(key: Key): KVStoreError {
  return new KVStoreError(
    'duplicate_key',
    `${showKey(key)} expected to be new, but the store has it: init a key once`,
    { key },
  );
}

function twice(key: Key): KVStoreError {
  return new KVStoreError(
    'duplicate_key',
    `${showKey(key)} expected to stand once in a list of new keys, but it stands twice`,
    { key },
  );
}

function unknown(key: Key): KVStoreError {
  return new KVStoreError(
    'unknown_key',
    `${showKey(key)} expected to be in the store, but it was never initialised`,
    { key },
  );
}
