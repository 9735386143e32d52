import { dtypeInfo, type DType } from './dtypes.js';
import { KVStoreError, show } from './errors.js';
import { isPlainObject } from './options.js';
import { scanNames } from './json-names.js';
import { showShape, sizeOf, type Shape } from './shape.js';

/**
 * The header of a safetensors file (https://huggingface.co/docs/safetensors):
 *
 *     0          8               8 + length              end of the file
 *     +----------+---------------+-----------------------+
 *     | length   | header        | tensors, one after    |
 *     | uint64   | JSON, spaces  | the other, no holes   |
 *     +----------+---------------+-----------------------+
 *
 * Numbers are little-endian. The header maps each name to dtype, shape and the offsets of the first
 * and behind the last byte, counted from its end; `__metadata__` maps strings to strings.
 */

/** Bytes of the length in front of the header. */
export const lengthBytes = 8;

/** Headers are refused above this size, as the format's own library does. */
export const maxHeaderBytes = 100_000_000;

/** A tensor to be written. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A tensor of a file: its bytes are those from `begin` to `end` behind the header. */
export interface TensorEntry extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

/** Strings by name. */
export type Metadata = ReadonlyMap<string, string>;

/** What a file holds. */
export interface Header {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Metadata;
}

const fileNames: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  int8: 'I8',
  uint8: 'U8',
  int32: 'I32',
  int64: 'I64',
};
const dtypesByName = new Map(
  Object.entries(fileNames).map(([dtype, name]) => [name, dtype as DType]),
);

/** Bytes of the elements of a tensor. */
export function bytesOf({ dtype, shape }: Omit<TensorSpec, 'name'>): number {
  return sizeOf(shape) * dtypeInfo(dtype).bytes;
}

/** The order in which a file holds tensors: larger elements first, so that all are aligned. */
export function fileOrder<T extends TensorSpec>(tensors: readonly T[]): T[] {
  return [...tensors].sort((a, b) => dtypeInfo(b.dtype).bytes - dtypeInfo(a.dtype).bytes);
}

/** Length and header of a file that holds `tensors` in this order; its length is a multiple of 8. */
export function encodeHeader(tensors: readonly TensorSpec[], metadata: Metadata): Uint8Array {
  let begin = 0;
  const entries = tensors.map(({ name, dtype, shape }): [string, object] => {
    const end = begin + bytesOf({ dtype, shape });
    const entry = { dtype: fileNames[dtype], shape, data_offsets: [begin, end] };
    begin = end;
    return [name, entry];
  });
  const head: [string, object][] =
    metadata.size === 0 ? [] : [['__metadata__', Object.fromEntries(metadata)]];
  // Not by assignment: a tensor may be called __proto__.
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...head, ...entries])));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(lengthBytes + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, lengthBytes);
  return bytes;
}

/** The length of the header in a file of `fileBytes`, from its first 8 bytes. Throws `bad_checkpoint`. */
export function headerLength(first: Uint8Array, fileBytes: number): number {
  if (first.length < lengthBytes) {
    throw bad(`expected at least ${lengthBytes} bytes, got ${first.length}`);
  }
  const view = new DataView(first.buffer, first.byteOffset, lengthBytes);
  const length = view.getBigUint64(0, true);
  const most = Math.min(fileBytes - lengthBytes, maxHeaderBytes);
  if (length <= BigInt(most)) return Number(length);
  throw bad(`expected a header of at most ${most} bytes, got a length of ${length}`);
}

/**
 * Reads a header behind which `dataBytes` bytes follow. Everything is checked before anybody
 * allocates for it: names are unique, dtypes known, shapes fit their bytes, and the tensors cover the
 * data without holes or overlap. Throws `bad_checkpoint`.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): Header {
  const header = parseJson(bytes);
  const tensors = new Map<string, TensorEntry>();
  let metadata: Metadata = new Map();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value);
    else tensors.set(name, parseEntry(name, value, dataBytes));
  }
  assertCovered([...tensors.values()], dataBytes);
  return { tensors, metadata };
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (error) {
    throw bad(`expected a header of JSON, got ${(error as Error).message}`);
  }
  if (!isPlainObject(parsed) || !text.startsWith('{')) {
    throw bad(`expected a header that is an object, got ${show(parsed)}`);
  }
  const twice = scanNames(text);
  if (twice !== undefined) throw bad(`expected each name once, got ${show(twice)} twice`);
  return parsed;
}

function parseMetadata(value: unknown): Metadata {
  if (!isPlainObject(value)) throw bad(`expected metadata to be an object, got ${show(value)}`);
  const entries = Object.entries(value);
  for (const [name, text] of entries) {
    if (typeof text === 'string') continue;
    throw bad(`expected metadata ${show(name)} to be a string, got ${show(text)}`);
  }
  return new Map(entries as [string, string][]);
}

function parseEntry(name: string, value: unknown, dataBytes: number): TensorEntry {
  const what = `tensor ${show(name)}`;
  if (!isPlainObject(value)) throw bad(`expected ${what} to be an object, got ${show(value)}`);
  const { dtype: dtypeName, shape, data_offsets: offsets } = value;
  const dtype = dtypesByName.get(dtypeName as string);
  if (dtype === undefined) {
    const known = [...dtypesByName.keys()].join(', ');
    throw bad(`expected ${what} to have a dtype of ${known}, got ${show(dtypeName)}`);
  }
  if (!isCounts(shape) || !Number.isSafeInteger(sizeOf(shape))) {
    throw bad(`expected ${what} to have a shape of integers from 0 up, got ${show(shape)}`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw bad(`expected ${what} to have two offsets, got ${show(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw bad(`expected ${what} within ${dataBytes} bytes, got offsets ${begin} to ${end}`);
  }
  if (bytesOf({ dtype, shape }) !== end - begin) {
    throw bad(
      `expected ${what} of ${dtype} and shape ${showShape(shape)} to have ` +
        `${bytesOf({ dtype, shape })} bytes, got ${end - begin}`,
    );
  }
  return { name, dtype, shape: Object.freeze([...shape]), begin, end };
}

function isCounts(list: unknown): list is readonly number[] {
  return Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function assertCovered(tensors: readonly TensorEntry[], dataBytes: number): void {
  let at = 0;
  // An empty tensor lies anywhere between two others.
  const sorted = [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const { name, begin, end } of sorted) {
    if (begin !== at) {
      const how = begin < at ? 'an overlap' : 'a hole';
      throw bad(`expected tensor ${show(name)} to begin at byte ${at}, got ${begin}: ${how}`);
    }
    at = end;
  }
  if (at !== dataBytes) throw bad(`expected ${at} bytes of tensors, got ${dataBytes}`);
}

function bad(message: string): KVStoreError {
  return new KVStoreError('bad_checkpoint', message);
}
