import type { Elements } from '../src/core/device-array.js';
import { computeDtype, type DType } from '../src/core/dtypes.js';
import { onHost } from '../src/core/elements.js';
import { compressionSpec, type CompressionSpec } from '../src/core/compression.js';
import { KVStoreError, show, showKey } from '../src/core/errors.js';
import { assertKey, type Key } from '../src/core/keys.js';
import type { Counters } from '../src/core/optimizers/optimizer.js';
import { plainOptions } from '../src/core/optimizers/optimizer.js';
import { isPlainObject } from '../src/core/options.js';
import type { PlainOptions } from '../src/core/protocol.js';
import type { Metadata, TensorEntry } from '../src/core/safetensors.js';
import { showShape, sizeOf, type Shape } from '../src/core/shape.js';
import { byteView, type Checkpoint, type StoredTensor } from './checkpoint-file.js';
import type { Entry } from './entry.js';
import type { UpdateRule } from './update-rule.js';

/**
 * What a checkpoint says of a store. Tensors are called `weights/KEY` and `states/SLOT/KEY`; the
 * metadata `tensorkv` is JSON: the keys in order of init, with their versions, counts and slots, and
 * the optimizer. A key stored row-sparse has the rows that it holds in these, their ids in
 * `indices/KEY`, in the same order, and the rows of the whole tensor as `rowCount` in the metadata.
 * A file without metadata is one of other people: its tensors are keys of their own names.
 */

/** One key of a checkpoint. */
export interface SavedKey {
  readonly key: Key;
  /** Missing in a file of optimizer states. */
  readonly weights: TensorEntry | undefined;
  /** The ids of the rows in `weights` and slots; undefined for a dense key. */
  readonly indices: TensorEntry | undefined;
  /** Rows of the whole tensor, where there are indices. */
  readonly rowCount: number | undefined;
  readonly version: number;
  /** Updates that its optimizer has made. */
  readonly count: number;
  readonly counters: Counters;
  readonly slots: ReadonlyMap<string, TensorEntry>;
  /** What compression has left out, by whose gradients they were. */
  readonly residuals: ReadonlyMap<string, TensorEntry>;
}

/** All that a checkpoint holds. */
export interface SavedStore {
  readonly keys: readonly SavedKey[];
  readonly optimizer: SavedOptimizer | undefined;
  readonly compression: CompressionSpec | undefined;
}

/** An optimizer with all that is not of one key. */
export interface SavedOptimizer {
  readonly name: string;
  readonly options: PlainOptions;
  /** Calls since the loss scale changed. */
  readonly goodCalls: number;
}

const metadataName = 'tensorkv';
const formatVersion = 1;

/** How a key stands in the metadata. */
interface KeyRecord {
  readonly key: Key;
  readonly version: number;
  readonly count: number;
  readonly counters: Counters;
  readonly slots: readonly string[];
  readonly residuals: readonly string[];
  readonly rowCount?: number | undefined;
}

/** Tensors and metadata of a checkpoint of `entries`, of the optimizer's part alone if so asked. */
export function describeStore(
  entries: readonly Entry[],
  updates: Pick<UpdateRule, 'rule' | 'goodCalls' | 'compression' | 'slotShape'>,
  withWeights: boolean,
): { readonly tensors: StoredTensor[]; readonly metadata: Metadata } {
  const { rule, goodCalls, compression } = updates;
  const tensors = entries.flatMap((entry) => [
    ...(withWeights ? weightsOf(entry) : []),
    ...indicesOf(entry),
    ...usedSlots(entry).map(([name, slot]) => {
      const { dtype } = entry.like;
      const shape = updates.slotShape(name, { dtype, shape: entry.heldShape }, rule);
      const dense = slot.length === entry.stored.length ? entry.like.shape : [slot.length];
      return tensorOf(`states/${name}/${entry.key}`, computeDtype(dtype), shape ?? dense, slot);
    }),
  ]);
  const optimizer =
    rule.kind === 'optimizer'
      ? { name: rule.optimizer.name, options: plainOptions(rule.options), goodCalls }
      : undefined;
  const keys = entries.map((entry): KeyRecord => ({
    key: entry.key,
    version: entry.version,
    count: entry.count,
    counters: entry.counters,
    slots: usedSlots(entry).map(([name]) => name),
    residuals: withWeights ? [...entry.residuals.keys()] : [],
    rowCount: entry.rows && entry.like.shape[0],
  }));
  const record = JSON.stringify({
    version: formatVersion,
    keys,
    optimizer,
    compression: withWeights ? compression.rule?.spec : undefined,
  });
  return { tensors, metadata: new Map([[metadataName, record]]) };
}

function weightsOf(entry: Entry): StoredTensor[] {
  const { key, like, stored, residuals, heldShape } = entry;
  return [
    tensorOf(`weights/${key}`, like.dtype, heldShape, stored),
    ...[...residuals].map(([source, residual]) =>
      tensorOf(`residuals/${source}/${key}`, 'float32', like.shape, residual),
    ),
  ];
}

function indicesOf({ key, rows }: Entry): StoredTensor[] {
  if (rows === undefined) return [];
  return [tensorOf(`indices/${key}`, 'int64', [rows.size], rows.ids())];
}

/** Slots that an update has used; the others are still to be made. */
function usedSlots({ slots, newSlots }: Entry): (readonly [string, Elements])[] {
  return [...slots].filter(([name]) => !newSlots.has(name));
}

/** The first elements of `data`, as many as `shape` has; those of a device are read when it is their turn. */
function tensorOf(name: string, dtype: DType, shape: Shape, data: Elements): StoredTensor {
  const held = data.subarray(0, sizeOf(shape));
  return {
    name,
    dtype,
    shape,
    get bytes() {
      return byteView(onHost(held));
    },
  };
}

/** What `checkpoint` holds. Throws `bad_checkpoint` where metadata and tensors do not fit. */
export function savedStore(checkpoint: Checkpoint): SavedStore {
  const text = checkpoint.metadata.get(metadataName);
  if (text === undefined) {
    if (checkpoint.metadata.has('sha256')) throw bad(`metadata ${metadataName}`, undefined);
    const keys = [...checkpoint.tensors.values()].map(foreignKey);
    return { keys, optimizer: undefined, compression: undefined };
  }
  if (!checkpoint.metadata.has('sha256')) throw bad('metadata sha256', undefined);
  const record = parseRecord(text);
  const left = new Set(checkpoint.tensors.keys());
  const take = (name: string): TensorEntry => {
    if (!left.delete(name)) throw bad(`a tensor ${show(name)}, once`, undefined);
    return checkpoint.tensors.get(name)!;
  };
  const keys = record.keys.map(({ key, slots, residuals, rowCount, ...numbers }): SavedKey => ({
    key,
    ...numbers,
    weights: left.has(`weights/${key}`) ? take(`weights/${key}`) : undefined,
    indices: rowCount === undefined ? undefined : take(`indices/${key}`),
    rowCount,
    slots: new Map(slots.map((slot) => [slot, take(`states/${slot}/${key}`)])),
    residuals: new Map(residuals.map((from) => [from, take(`residuals/${from}/${key}`)])),
  }));
  for (const saved of keys) assertIndices(saved);
  const [stranger] = left;
  if (stranger !== undefined) throw bad('no tensors beside those of its keys', stranger);
  if (new Set(keys.map(({ key }) => key)).size < keys.length)
    throw bad('each key once', 'one twice');
  return { ...record, keys };
}

/** Indices are int64, one for each row of the weights. */
function assertIndices({ key, weights, indices }: SavedKey): void {
  if (indices === undefined) return;
  const rows = weights === undefined ? indices.shape[0] : weights.shape[0];
  if (indices.dtype === 'int64' && indices.shape.length === 1 && indices.shape[0] === rows) return;
  const { name, dtype, shape } = indices;
  throw new KVStoreError(
    'bad_checkpoint',
    `${showKey(key)} expected ${show(name)} to have one int64 for each of ${rows ?? 'its'} rows, ` +
      `got ${dtype} of shape ${showShape(shape)}`,
    { key },
  );
}

function foreignKey(weights: TensorEntry): SavedKey {
  if (weights.name === '') throw bad('tensors with names', '');
  const nothing = { slots: new Map(), residuals: new Map() };
  const dense = { indices: undefined, rowCount: undefined };
  return { key: weights.name, weights, ...dense, version: 0, count: 0, counters: {}, ...nothing };
}

function parseRecord(text: string): {
  readonly keys: readonly KeyRecord[];
  readonly optimizer: SavedStore['optimizer'];
  readonly compression: SavedStore['compression'];
} {
  const record = parseJson(text);
  if (!isPlainObject(record)) throw bad('metadata that is an object', record);
  const { version, keys, optimizer, compression } = record;
  if (version !== formatVersion) throw bad(`format version ${formatVersion}`, version);
  if (!Array.isArray(keys) || !keys.every(isKeyRecord)) throw bad('a list of keys', keys);
  if (optimizer !== undefined && !isOptimizer(optimizer)) throw bad('an optimizer', optimizer);
  return { keys, optimizer, compression: parseCompression(compression) };
}

function parseCompression(given: unknown): CompressionSpec | undefined {
  try {
    return given === undefined ? undefined : compressionSpec(given);
  } catch (error) {
    throw bad('a compression', (error as Error).message);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw bad('metadata of JSON', (error as Error).message);
  }
}

function isKeyRecord(value: unknown): value is KeyRecord {
  if (!isPlainObject(value)) return false;
  const { key, version, count, counters, slots, residuals, rowCount } = value;
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
  try {
    assertKey(key);
  } catch {
    return false;
  }
  return (
    isCount(version) &&
    isCount(count) &&
    (rowCount === undefined || isCount(rowCount)) &&
    isPlainObject(counters) &&
    Object.values(counters).every((n) => typeof n === 'number') &&
    isStrings(slots) &&
    isStrings(residuals)
  );
}

function isStrings(list: unknown): boolean {
  return Array.isArray(list) && list.every((name) => typeof name === 'string');
}

function isOptimizer(value: unknown): value is SavedOptimizer {
  if (!isPlainObject(value)) return false;
  const { name, options, goodCalls } = value;
  return typeof name === 'string' && isPlainObject(options) && Number.isSafeInteger(goodCalls);
}

/** Throws `bad_checkpoint` unless a tensor of `key` in the file is as the store needs it. */
export function assertAlike(
  key: Key,
  { name, dtype, shape }: TensorEntry,
  expected: { readonly dtype: DType; readonly length: number },
): void {
  const length = shape.reduce((size, n) => size * n, 1);
  if (dtype === expected.dtype && length === expected.length) return;
  throw new KVStoreError(
    'bad_checkpoint',
    `${showKey(key)} expected ${show(name)} to have ${expected.length} elements of ` +
      `${expected.dtype}, got ${length} of ${dtype}`,
    { key },
  );
}

function bad(expected: string, got: unknown): KVStoreError {
  const message = `the checkpoint expected ${expected}, got ${show(got)}`;
  return new KVStoreError('bad_checkpoint', message);
}
