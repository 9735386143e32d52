import type { CompressionSpec } from '../src/core/compression.js';
import type { Elements } from '../src/core/device-array.js';
import { cpu, type Device } from '../src/core/devices.js';
import { computeDtype, dtypeInfo, privateArray, type TensorData } from '../src/core/dtypes.js';
import { copyElements, onHost } from '../src/core/elements.js';
import { describe, KVStoreError, showKey } from '../src/core/errors.js';
import { toNumbers } from '../src/core/int64.js';
import type { Key } from '../src/core/keys.js';
import type { MemoryBudget } from '../src/core/memory.js';
import type { Request } from '../src/core/protocol.js';
import type { TensorEntry } from '../src/core/safetensors.js';
import { sameShape, showShape, sizeOf, type Shape } from '../src/core/shape.js';
import { newElements } from '../src/core/tensor.js';
import {
  assertAlike,
  describeStore,
  savedStore,
  type SavedKey,
  type SavedStore,
} from './checkpoint.js';
import { byteView, totalBytes, type Checkpoint } from './checkpoint-file.js';
import type { Entry, HeldTensor } from './entry.js';
import type { CheckpointFiles } from './coordinator-needs.js';
import type { KeyTable } from './key-table.js';
import type { Optimizers } from './optimizers.js';
import type { Pins } from './pins.js';
import type { RuleKind } from './rule.js';
import type { StoredRows } from './stored-rows.js';
import type { UpdateRule } from './update-rule.js';

/** Saving and loading, as requests ask for it. */
export type StateRequest = Request & { readonly type: 'save' | 'load' };

/** What state calls work on. */
export interface StateContext {
  readonly keys: KeyTable;
  readonly updates: UpdateRule;
  readonly budget: MemoryBudget;
  readonly pins: Pins;
  readonly files: CheckpointFiles;
  readonly optimizers: Optimizers;
  /** Hears of keys that the store did not have. */
  keysAdded(entries: readonly Entry[]): void;
  /** Hears of the optimizer that a checkpoint has put in force. */
  ruleChanged(): void;
}

/** A key of a checkpoint with its tensors in memory. */
interface Loaded {
  readonly saved: SavedKey;
  readonly stored: Elements | undefined;
  readonly rows: StoredRows | undefined;
  readonly slots: ReadonlyMap<string, Elements>;
  readonly residuals: ReadonlyMap<string, Elements>;
}

/** Writes the store to checkpoints and takes it over from them; a failure changes nothing. */
export class StateCalls {
  readonly #context: StateContext;

  constructor(context: StateContext) {
    this.#context = context;
  }

  /** Throws `bad_checkpoint`, `no_optimizer`, and what a new key or an optimizer is refused with. */
  run(request: StateRequest): void {
    if (request.what === 'optimizer') this.#assertOptimizer(request.type);
    if (request.type === 'save') this.#save(request);
    else this.#load(request);
  }

  #save({ path, what }: StateRequest): void {
    const { keys, updates, files } = this.#context;
    const { tensors, metadata } = describeStore([...keys.entries()], updates, what === 'store');
    files.write(path, tensors, metadata);
  }

  #load({ path, what }: StateRequest): void {
    const checkpoint = this.#context.files.open(path);
    try {
      const saved = savedStore(checkpoint);
      if (what === 'store') this.#loadStore(checkpoint, saved);
      else this.#loadStates(checkpoint, saved);
    } finally {
      checkpoint.close();
    }
  }

  #loadStore(checkpoint: Checkpoint, store: SavedStore): void {
    const { optimizer } = store;
    const compression = this.#compressionOf(store);
    const keys = compression === undefined ? store.keys.map(withoutResiduals) : store.keys;
    const rule = optimizer && this.#ruleOf(optimizer);
    this.#context.keys.assertOneKind(keys.map(({ key }) => key));
    for (const saved of keys) this.#checkKey(saved, rule ?? this.#context.updates.rule);
    const loaded = this.#read(checkpoint, keys);
    // From here on nothing can fail.
    if (rule !== undefined) {
      const { goodCalls } = optimizer!;
      this.#context.updates.restore(rule, this.#context.keys.entries(), goodCalls);
    }
    if (compression !== undefined) this.#context.updates.compression.use(compression);
    const added: Entry[] = [];
    for (const { saved, stored, rows, slots, residuals } of loaded) {
      const isNew = !this.#context.keys.has(saved.key);
      const { dtype } = saved.weights!;
      const entry = this.#put(saved.key, { dtype, shape: shapeOf(saved) }, { data: stored!, rows });
      if (isNew) added.push(entry);
      entry.version = saved.version;
      this.#context.updates.putState(entry, { ...saved, slots });
      this.#context.updates.compression.restore(entry, residuals);
    }
    if (added.length > 0) this.#context.keysAdded(added);
    if (rule !== undefined) this.#context.ruleChanged();
  }

  #put(key: Key, like: Pick<TensorEntry, 'dtype' | 'shape'>, stored: HeldTensor): Entry {
    const { keys, pins, budget } = this.#context;
    if (!keys.has(key)) return keys.put(key, like, stored);
    const entry = keys.find(key);
    // What views hold of the old version stays as it is, and counts until they let it go.
    if (pins.isPinned(entry.stored)) pins.orphan(entry.stored);
    else budget.release(entry.byteLength);
    entry.stored = stored.data;
    entry.rows = stored.rows;
    return entry;
  }

  #loadStates(checkpoint: Checkpoint, { keys, optimizer }: SavedStore): void {
    const { rule } = this.#context.updates;
    const name = rule.kind === 'optimizer' ? rule.optimizer.name : undefined;
    if (optimizer?.name !== name) {
      throw new KVStoreError(
        'bad_checkpoint',
        `the checkpoint expected states of ${name}, got ${optimizer?.name ?? 'no optimizer'}`,
      );
    }
    const found = keys.map((saved): [Entry, SavedKey] => {
      const entry = this.#context.keys.find(saved.key);
      const { dtype, shape } = entry.like;
      assertStorage(saved, entry);
      const held = saved.indices === undefined ? shape : entry.shapeOf(saved.indices.shape[0]!);
      this.#checkSlots(saved, { dtype, shape: held }, rule);
      return [entry, saved];
    });
    const loaded = this.#read(
      checkpoint,
      keys.map((saved) => ({ ...withoutResiduals(saved), weights: undefined })),
    );
    found.forEach(([entry, saved], i) => {
      const { stored, rows, slots } = loaded[i]!;
      if (stored !== undefined) this.#put(saved.key, entry.like, { data: stored, rows });
      this.#context.updates.putState(entry, { ...saved, slots });
    });
  }

  #checkKey(saved: SavedKey, rule: RuleKind): void {
    const { key, weights } = saved;
    if (weights === undefined) {
      const message = `${showKey(key)} expected weights in the checkpoint, got states alone`;
      throw new KVStoreError('bad_checkpoint', message, { key });
    }
    this.#checkSlots(saved, weights, rule);
    if (!this.#context.keys.has(key)) return;
    const entry = this.#context.keys.find(key);
    assertStorage(saved, entry);
    const { like } = entry;
    const shape = shapeOf(saved);
    if (like.dtype === weights.dtype && sameShape(like.shape, shape)) return;
    throw new KVStoreError(
      'bad_checkpoint',
      `${showKey(key)} expected weights of ${like.dtype} and shape ${showShape(like.shape)}, ` +
        `got ${weights.dtype} and ${showShape(shape)}`,
      { key },
    );
  }

  /** The compression of a file, if this type of store compresses; else what is left is void. */
  #compressionOf({ compression }: SavedStore): CompressionSpec | undefined {
    return this.#context.updates.compression.isPossible ? compression : undefined;
  }

  /** Slots are of the computed dtype and as `rule` needs them; one that it lacks is let pass. */
  #checkSlots(
    { key, slots, residuals }: SavedKey,
    like: Pick<TensorEntry, 'dtype' | 'shape'>,
    rule: RuleKind,
  ): void {
    const { updates } = this.#context;
    const expected = { dtype: 'float32', length: sizeOf(like.shape) } as const;
    for (const residual of residuals.values()) assertAlike(key, residual, expected);
    for (const [name, slot] of slots) {
      const length = sizeOf(updates.slotShape(name, like, rule) ?? slot.shape);
      assertAlike(key, slot, { dtype: computeDtype(like.dtype), length });
    }
  }

  /** Reads every tensor into memory of the store's budget, or none. */
  #read(checkpoint: Checkpoint, keys: readonly SavedKey[]): Loaded[] {
    const wanted = keys.flatMap(({ key, weights, indices, slots, residuals }) => [
      ...(weights === undefined ? this.#movedRows(key, indices) : [weights]),
      ...slots.values(),
      ...residuals.values(),
    ]);
    const bytes = totalBytes(wanted);
    this.#context.budget.reserve(bytes, 'loading a checkpoint');
    try {
      const readAll = (
        tensors: ReadonlyMap<string, TensorEntry>,
        device: Device,
      ): Map<string, Elements> =>
        new Map([...tensors].map(([name, tensor]) => [name, read(checkpoint, tensor, device)]));
      return keys.map((saved) => {
        const device = this.#deviceOf(saved.key);
        const ids = saved.indices && idsOf(saved, read(checkpoint, saved.indices, cpu(0)));
        const rows = ids && this.#context.keys.rowsOf(ids);
        assertRowsOnce(saved, rows);
        return {
          saved,
          rows,
          stored: saved.weights
            ? read(checkpoint, saved.weights, device)
            : rows && this.#moved(saved.key, rows),
          slots: readAll(saved.slots, device),
          residuals: readAll(saved.residuals, device),
        };
      });
    } catch (error) {
      this.#context.budget.release(bytes);
      throw error;
    }
  }

  /** Where the tensors of a key go. */
  #deviceOf(key: Key): Device {
    const { keys } = this.#context;
    return keys.has(key) ? keys.find(key).like.device : cpu(0);
  }

  /** What moving the rows of a key takes, when its states are loaded. */
  #movedRows(key: Key, indices: TensorEntry | undefined): Omit<TensorEntry, 'name'>[] {
    if (indices === undefined) return [];
    const entry = this.#context.keys.find(key);
    return [{ ...indices, dtype: entry.like.dtype, shape: entry.shapeOf(indices.shape[0]!) }];
  }

  /** The stored rows of a key in the order of `rows`, zeros for those that it does not hold. */
  #moved(key: Key, rows: StoredRows): Elements {
    const entry = this.#context.keys.find(key);
    const missing = entry.rows!.ids().find((id) => rows.find(BigInt64Array.of(id))[0] === -1n);
    if (missing !== undefined) {
      const message = `${showKey(key)} expected states of each row it holds, got none of row ${missing}`;
      throw new KVStoreError('bad_checkpoint', message, { key });
    }
    const { dtype, device } = entry.like;
    const moved = newElements(dtype, rows.size * entry.rowLength, device);
    const here = device.type === 'cpu' ? (moved as TensorData) : privateArray(dtype, moved.length);
    const [from, to] = [byteView(onHost(entry.stored)), byteView(here)];
    const rowBytes = entry.rowLength * dtypeInfo(dtype).bytes;
    for (const [i, position] of toNumbers(entry.rows!.find(rows.ids())).entries()) {
      const at = position * rowBytes;
      if (position >= 0) to.set(from.subarray(at, at + rowBytes), i * rowBytes);
    }
    if (here !== moved) copyElements(here, moved);
    return moved;
  }

  #ruleOf({
    name,
    options,
  }: NonNullable<SavedStore['optimizer']>): RuleKind & { kind: 'optimizer' } {
    const optimizer = this.#context.optimizers.named(name);
    try {
      return { kind: 'optimizer', optimizer, options: optimizer.resolve(options) };
    } catch (error) {
      const message = `the checkpoint expected options of ${name}: ${describe(error)}`;
      throw new KVStoreError('bad_checkpoint', message, { cause: error });
    }
  }

  #assertOptimizer(type: string): void {
    if (this.#context.updates.rule.kind === 'optimizer') return;
    const message = `${type}OptimizerStates expected setOptimizer to be called before`;
    throw new KVStoreError('no_optimizer', message);
  }
}

/** Reads a tensor into new memory of `device`. */
function read(checkpoint: Checkpoint, tensor: TensorEntry, device: Device): Elements {
  const { dtype, shape } = tensor;
  const data = newElements(dtype, sizeOf(shape), device);
  const here = device.type === 'cpu' ? (data as TensorData) : privateArray(dtype, data.length);
  checkpoint.read(tensor, byteView(here));
  if (here !== data) copyElements(here, data);
  return data;
}

/** The shape of the whole tensor of a key. */
function shapeOf({ weights, rowCount }: SavedKey): Shape {
  const { shape } = weights!;
  return rowCount === undefined ? shape : [rowCount, ...shape.slice(1)];
}

/** Throws `bad_checkpoint` where the file has rows of another tensor, or of a dense one. */
function assertStorage({ key, rowCount }: SavedKey, { rows, like }: Entry): void {
  const expected = rows && like.shape[0];
  if (rowCount === expected) return;
  const show = (count: number | undefined): string =>
    count === undefined ? 'dense' : `row-sparse of ${count} rows`;
  const message = `${showKey(key)} expected to be ${show(expected)}, got ${show(rowCount)}`;
  throw new KVStoreError('bad_checkpoint', message, { key });
}

/** `data`, the indices of a key, as row ids. Throws `bad_checkpoint` for one that is no row. */
function idsOf({ key, rowCount }: SavedKey, data: Elements): BigInt64Array {
  const ids = data as BigInt64Array;
  const wrong = ids.find((id) => id < 0n || id >= BigInt(rowCount!));
  if (wrong === undefined) return ids;
  const message = `${showKey(key)} expected row ids from 0 up to ${rowCount! - 1}, got ${wrong}`;
  throw new KVStoreError('bad_checkpoint', message, { key });
}

function assertRowsOnce({ key, indices }: SavedKey, rows: StoredRows | undefined): void {
  if (rows === undefined || rows.size === indices!.shape[0]) return;
  const message = `${showKey(key)} expected each row id once, got one twice`;
  throw new KVStoreError('bad_checkpoint', message, { key });
}

function withoutResiduals(saved: SavedKey): SavedKey {
  return { ...saved, residuals: new Map() };
}
