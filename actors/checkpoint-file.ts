import { createHash } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { dirname } from 'node:path';
import { describe, KVStoreError, show } from '../src/core/errors.js';
import {
  bytesOf,
  encodeHeader,
  fileOrder,
  headerLength,
  lengthBytes,
  parseHeader,
  type Metadata,
  type TensorEntry,
  type TensorSpec,
} from '../src/core/safetensors.js';
import { removeStale, temporaryPath, type Folder } from './temporary-files.js';

/** The calls of `node:fs` that checkpoints are made of; tests fail them one by one. */
export type FileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'closeSync' | 'fstatSync' | 'fsyncSync' | 'readSync' | 'renameSync' | 'writeSync'
> &
  Folder;

/** A tensor to be written, with its bytes. */
export interface StoredTensor extends TensorSpec {
  readonly bytes: Uint8Array;
}

/** A file that was opened and whose header is sound. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Metadata;
  /** Reads a tensor's bytes. Throws `bad_checkpoint`. */
  read(tensor: TensorEntry, into: Uint8Array): void;
  close(): void;
}

/** The metadata that guards a header: SHA-256 of it with zeros in this place. */
const digestName = 'sha256';
const noDigest = '0'.repeat(64);

/**
 * Writes a file so that a crash leaves the old one or the new one: to a temporary file beside it,
 * which is made durable and then renamed, and the folder with it. What killed processes have left of
 * such files is removed first. Throws `bad_checkpoint` with the path and the cause; the old file is
 * then as it was.
 */
export function writeCheckpoint(
  path: string,
  tensors: readonly StoredTensor[],
  metadata: Metadata,
  fs: FileSystem = nodeFs,
): void {
  const ordered = fileOrder(tensors);
  const header = guarded(encodeHeader(ordered, new Map([...metadata, [digestName, noDigest]])));
  const temporary = temporaryPath(path);
  let written = false;
  removeStale(path, fs);
  try {
    // Exclusively: where somebody has put a link of that name, nothing is written.
    withFile(fs, temporary, 'wx', (file) => {
      written = true;
      writeAll(fs, file, header);
      for (const { bytes } of ordered) writeAll(fs, file, bytes);
      fs.fsyncSync(file);
    });
    fs.renameSync(temporary, path);
    written = false;
    syncFolder(fs, dirname(path));
  } catch (error) {
    if (written) fs.rmSync(temporary, { force: true });
    throw failure('written', path, error);
  }
}

/** Opens a file and checks its header against its size. Throws `bad_checkpoint`. */
export function openCheckpoint(path: string, fs: FileSystem = nodeFs): Checkpoint {
  let file: number | undefined;
  try {
    file = fs.openSync(path, 'r');
    return checkpointOf(file, fs);
  } catch (error) {
    if (file !== undefined) fs.closeSync(file);
    throw failure('read', path, error);
  }
}

function checkpointOf(file: number, fs: FileSystem): Checkpoint {
  const { size } = fs.fstatSync(file);
  const first = new Uint8Array(Math.min(lengthBytes, size));
  readAll(fs, file, first, 0);
  const length = headerLength(first, size);
  const bytes = new Uint8Array(lengthBytes + length);
  readAll(fs, file, bytes, 0);
  const data = lengthBytes + length;
  const { tensors, metadata } = parseHeader(bytes.subarray(lengthBytes), size - data);
  assertGuarded(bytes, metadata);
  return {
    tensors,
    metadata,
    read: ({ begin }, into) => readAll(fs, file, into, data + begin),
    close: () => fs.closeSync(file),
  };
}

/** `header` with its digest in the place of the zeros. */
function guarded(header: Uint8Array): Uint8Array {
  const at = Buffer.from(header.buffer).indexOf(noDigest);
  header.set(Buffer.from(createHash('sha256').update(header).digest('hex')), at);
  return header;
}

/** Throws `bad_checkpoint` where a header has a digest that is not its own. */
function assertGuarded(header: Uint8Array, metadata: Metadata): void {
  const digest = metadata.get(digestName);
  if (digest === undefined) return;
  const copy = Buffer.from(header);
  const at = copy.indexOf(digest);
  if (at >= 0 && digest.length === noDigest.length) copy.write(noDigest, at);
  const actual = createHash('sha256').update(copy).digest('hex');
  if (actual === digest) return;
  const message = `expected a header with the SHA-256 ${digest}, got ${actual}: it was changed`;
  throw new KVStoreError('bad_checkpoint', message);
}

function withFile(fs: FileSystem, path: string, flags: string, use: (file: number) => void): void {
  const file = fs.openSync(path, flags, ownerOnly);
  try {
    use(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Makes the names in a folder durable. Windows has no such thing, and needs none. */
function syncFolder(fs: FileSystem, folder: string): void {
  if (process.platform === 'win32') return;
  withFile(fs, folder, 'r', (file) => fs.fsyncSync(file));
}

/** A new file is its owner's alone. */
const ownerOnly = 0o600;

/** As much as one call may move: some systems take no more than 2 GiB. */
const mostBytes = 2 ** 30;

function writeAll(fs: FileSystem, file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(file, bytes, done, Math.min(bytes.length - done, mostBytes));
  }
}

function readAll(fs: FileSystem, file: number, into: Uint8Array, from: number): void {
  for (let done = 0; done < into.length;) {
    const length = Math.min(into.length - done, mostBytes);
    const read = fs.readSync(file, into, done, length, from + done);
    if (read === 0) {
      const message = `expected ${into.length} bytes from byte ${from} on, got ${done}`;
      throw new KVStoreError('bad_checkpoint', message);
    }
    done += read;
  }
}

function failure(what: string, path: string, error: unknown): KVStoreError {
  const why = error instanceof KVStoreError ? error.message : describe(error);
  const message = `checkpoint ${show(path)} could not be ${what}: ${why}`;
  return new KVStoreError('bad_checkpoint', message, { cause: error });
}

/** The bytes of a tensor to be written or read. */
export function byteView(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The files of this machine. */
export const checkpointFiles = { write: writeCheckpoint, open: openCheckpoint } as const;

/** Bytes that the tensors of a checkpoint take. */
export function totalBytes(tensors: Iterable<Omit<TensorSpec, 'name'>>): number {
  let bytes = 0;
  for (const each of tensors) bytes += bytesOf(each);
  return bytes;
}
