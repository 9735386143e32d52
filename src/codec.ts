import { kernels } from '../native/kernels.js';
import {
  compressedBytes,
  compressionOf,
  type CompressionOptions,
  type CompressionSpec,
  type CompressionType,
} from './core/compression.js';
import { KVStoreError, show } from './core/errors.js';
import { Tensor } from './core/tensor.js';

/** Numbers to compress: a float32 tensor, or its elements. */
export type Gradient = Tensor | Float32Array;

/** Compresses gradients to codes and back; see `src/core/compression.ts` for the format. */
export interface Codec extends CompressionSpec {
  /**
   * The codes of `gradient`. What they leave out stays in `residual`, which is updated in place and
   * starts with zeros. Throws `unsupported` for other dtypes, `length_mismatch`, and `bad_argument`
   * for what is no tensor or overlaps.
   */
  encode(gradient: Gradient, residual: Gradient): Uint8Array;
  /**
   * The values of the codes of `length` elements. Throws `bad_argument` for bytes that are not the
   * codes of so many: another number of them, a code 01, or bits behind the last code.
   */
  decode(bytes: Uint8Array, length: number): Float32Array;
  /** Bytes of the codes of `length` elements. Throws `bad_argument`. */
  bytesFor(length: number): number;
}

/** A codec of gradient compression. Throws `bad_compression`. */
export function codec(
  type: CompressionType,
  options: Omit<CompressionOptions, 'type'> = {},
): Codec {
  const spec = compressionOf(type, options);
  return Object.freeze({
    ...spec,
    encode: (gradient: Gradient, residual: Gradient) => {
      const [from, left] = [floats(gradient, 'gradient'), floats(residual, 'residual')];
      assertPair(from, left);
      const bytes = new Uint8Array(compressedBytes(type, from.length));
      kernels.encode(spec, from, left, bytes);
      return bytes;
    },
    decode: (bytes: Uint8Array, length: number) => {
      assertCodes(spec, bytes, length);
      const out = new Float32Array(length);
      kernels.decode(spec, bytes, out);
      return out;
    },
    bytesFor: (length: number) => compressedBytes(type, assertLength(length, 'bytesFor')),
  });
}

function floats(given: unknown, what: string): Float32Array {
  const data: unknown = given instanceof Tensor ? given.data : given;
  if (data instanceof Float32Array) return data;
  const got = given instanceof Tensor ? `a tensor of ${given.dtype}` : show(given);
  const code = ArrayBuffer.isView(data) ? 'unsupported' : 'bad_argument';
  throw new KVStoreError(code, `encode expected ${what} to be of float32, got ${got}`);
}

function assertPair(gradient: Float32Array, residual: Float32Array): void {
  if (gradient.length !== residual.length) {
    throw new KVStoreError(
      'length_mismatch',
      `encode expected a residual of ${gradient.length} elements, got ${residual.length}`,
    );
  }
  const distance = Math.abs(gradient.byteOffset - residual.byteOffset);
  if (gradient.buffer !== residual.buffer || distance >= gradient.byteLength) return;
  const message = 'encode expected gradient and residual to be apart, got arrays that overlap';
  throw new KVStoreError('bad_argument', message);
}

function assertLength(length: unknown, where: string): number {
  if (Number.isSafeInteger(length) && (length as number) >= 0) return length as number;
  const message = `${where} expected a number of elements, got ${show(length)}`;
  throw new KVStoreError('bad_argument', message);
}

function assertCodes({ type }: CompressionSpec, bytes: unknown, length: unknown): void {
  const fail = (expected: string, got: string): never => {
    throw new KVStoreError('bad_argument', `decode expected ${expected}, got ${got}`);
  };
  const count = assertLength(length, 'decode');
  if (!(bytes instanceof Uint8Array)) return fail('a Uint8Array of codes', show(bytes));
  const wanted = compressedBytes(type, count);
  if (bytes.length !== wanted) fail(`${wanted} bytes for ${count} elements`, String(bytes.length));
  const bits = type === '2bit' ? 2 * count : count;
  for (let i = Math.floor(bits / 8); i < bytes.length; i++) {
    const used = Math.max(bits - 8 * i, 0);
    if ((bytes[i]! & (0xff >> used)) !== 0) fail('zeros behind the last code', `byte ${i}`);
  }
  if (type === '1bit') return;
  // A code 01 has its low bit set and not its high bit.
  const at = bytes.findIndex((byte) => (byte & ~(byte >> 1) & 0x55) !== 0);
  if (at >= 0) fail('codes 00, 10 and 11', `01 in byte ${at}`);
}
