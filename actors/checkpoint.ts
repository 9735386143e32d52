import { computeDtype, type DType, type TensorData } from '../src/core/dtypes.js';
import { compressionSpec, type CompressionSpec } from '../src/core/compression.js';
import { KVStoreError, show, showKey } from '../src/core/errors.js';
import { assertKey, type Key } from '../src/core/keys.js';
import type { Counters } from '../src/core/optimizers/optimizer.js';
import { plainOptions } from '../src/core/optimizers/optimizer.js';
import { isPlainObject } from '../src/core/options.js';
import type { PlainOptions } from '../src/core/protocol.js';
import type { Metadata, TensorEntry } from '../src/core/safetensors.js';
import type { Shape } from '../src/core/shape.js';
import { byteView, type Checkpoint, type StoredTensor } from './checkpoint-file.js';
import type { Entry } from './entry.js';
import type { UpdateRule } from './update-rule.js';

/**
 * What a checkpoint says of a store. Tensors are called `weights/KEY` and `states/SLOT/KEY`; the
 * metadata `tensorkv` is JSON: the keys in order of init, with their versions, counts and slots, and
 * the optimizer. A file without it is one of other people: its tensors are keys of their own names.
 */

/** One key of a checkpoint. */
export interface SavedKey {
  readonly key: Key;
  /** Missing in a file of optimizer states. */
  readonly weights: TensorEntry | undefined;
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
}

/** Tensors and metadata of a checkpoint of `entries`, of the optimizer's part alone if so asked. */
export function describeStore(
  entries: readonly Entry[],
  { rule, goodCalls, compression }: Pick<UpdateRule, 'rule' | 'goodCalls' | 'compression'>,
  withWeights: boolean,
): { readonly tensors: StoredTensor[]; readonly metadata: Metadata } {
  const tensors = entries.flatMap((entry) => [
    ...(withWeights
      ? [tensorOf(`weights/${entry.key}`, entry.like.dtype, entry, entry.stored)]
      : []),
    ...(withWeights ? residualsOf(entry) : []),
    ...usedSlots(entry).map(([name, slot]) =>
      tensorOf(`states/${name}/${entry.key}`, computeDtype(entry.like.dtype), entry, slot),
    ),
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
  }));
  const record = JSON.stringify({
    version: formatVersion,
    keys,
    optimizer,
    compression: withWeights ? compression.rule?.spec : undefined,
  });
  return { tensors, metadata: new Map([[metadataName, record]]) };
}

function residualsOf(entry: Entry): StoredTensor[] {
  return [...entry.residuals].map(([source, residual]) =>
    tensorOf(`residuals/${source}/${entry.key}`, 'float32', entry, residual),
  );
}

/** Slots that an update has used; the others are still to be made. */
function usedSlots({ slots, newSlots }: Entry): (readonly [string, TensorData])[] {
  return [...slots].filter(([name]) => !newSlots.has(name));
}

function tensorOf(
  name: string,
  dtype: DType,
  { like, stored }: Entry,
  data: TensorData,
): StoredTensor {
  const shape: Shape = data.length === stored.length ? like.shape : [data.length];
  return { name, dtype, shape, bytes: byteView(data) };
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
  const keys = record.keys.map(({ key, slots, residuals, ...numbers }): SavedKey => ({
    key,
    ...numbers,
    weights: left.has(`weights/${key}`) ? take(`weights/${key}`) : undefined,
    slots: new Map(slots.map((slot) => [slot, take(`states/${slot}/${key}`)])),
    residuals: new Map(residuals.map((from) => [from, take(`residuals/${from}/${key}`)])),
  }));
  const [stranger] = left;
  if (stranger !== undefined) throw bad('no tensors beside those of its keys', stranger);
  if (new Set(keys.map(({ key }) => key)).size < keys.length)
    throw bad('each key once', 'one twice');
  return { ...record, keys };
}

function foreignKey(weights: TensorEntry): SavedKey {
  if (weights.name === '') throw bad('tensors with names', '');
  const nothing = { slots: new Map(), residuals: new Map() };
  return { key: weights.name, weights, version: 0, count: 0, counters: {}, ...nothing };
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
  const { key, version, count, counters, slots, residuals } = value;
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
  try {
    assertKey(key);
  } catch {
    return false;
  }
  return (
    isCount(version) &&
    isCount(count) &&
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
