import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** One file to decode: `path`, or `path`.gz, whose array has `dimensions` and at most `limit` rows. */
export interface IdxTask {
  readonly path: string;
  readonly dimensions: number;
  readonly limit: number;
}

/** An array of bytes on shared memory, so that no thread needs a copy. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The array, or what is wrong with the file: an error would lose its class between threads. */
export type IdxResult = IdxArray | { readonly problem: string };

/** Runs in a thread of the pool: reads a file and decodes it. */
export function readIdx({ path, dimensions, limit }: IdxTask): IdxResult {
  const bytes = readPlainOrZipped(path);
  return 'problem' in bytes ? bytes : decodeIdx(bytes.content, { path, dimensions, limit });
}

/**
 * Decodes an IDX file of bytes, the format of the MNIST files: two zero bytes, the element type
 * (8 for bytes), the number of dimensions, each dimension as a big-endian 32-bit integer, and then
 * the elements, row by row.
 */
export function decodeIdx(content: Uint8Array, { path, dimensions, limit }: IdxTask): IdxResult {
  const header = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const headerBytes = 4 + 4 * dimensions;
  const magic = 0x0800 + dimensions;
  if (content.length < headerBytes || header.getUint32(0) !== magic) {
    return { problem: `${path} is not an IDX file of bytes in ${dimensions} dimensions` };
  }
  const fileShape = Array.from({ length: dimensions }, (_, i) => header.getUint32(4 + 4 * i));
  const expectedBytes = headerBytes + sizeOf(fileShape);
  if (content.length !== expectedBytes) {
    return { problem: `${path} should have ${expectedBytes} bytes, it has ${content.length}` };
  }
  const [rows = 0, ...row] = fileShape;
  const shape = [Math.min(rows, limit), ...row];
  const data = new Uint8Array(new SharedArrayBuffer(sizeOf(shape)));
  data.set(content.subarray(headerBytes, headerBytes + data.length));
  return { shape, data };
}

function readPlainOrZipped(path: string): { content: Uint8Array } | { problem: string } {
  for (const candidate of [path, `${path}.gz`]) {
    try {
      const content = readFileSync(candidate);
      return { content: candidate === path ? content : gunzipSync(content) };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') return { problem: `${candidate} could not be read: ${message}` };
    }
  }
  return { problem: `there is no file ${path} or ${path}.gz` };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
