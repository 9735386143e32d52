import { KVStoreError, show } from './errors.js';
import { isPlainObject } from './options.js';

/**
 * Gradient compression with error feedback, as MXNet has it. Per element, each operation rounded to
 * float32, `r = residual + gradient`; then
 *
 *     2bit   r >= t     code 11   value +t   residual r - t       (Strom, 2015, with a fixed t)
 *            r <= -t    code 10   value -t   residual r + t
 *            else       code 00   value  0   residual r
 *     1bit   r > t      bit 1     value +1   residual r - 1       (Seide et al., 2014)
 *            else       bit 0     value -1   residual r + 1
 *
 * Codes are packed from the most significant bits of the first byte on, 16 or 32 elements to 4 bytes;
 * bits that are left over are zero.
 */
export interface CompressionSpec {
  readonly type: CompressionType;
  /** t above. */
  readonly threshold: number;
}

/** A compression as callers ask for it. */
export interface CompressionOptions {
  readonly type: CompressionType;
  /** Default 0.5 for `2bit`, 0 for `1bit`. */
  readonly threshold?: number;
}

/** A codec: codes of two bits or of one bit an element. */
export type CompressionType = '2bit' | '1bit';

/** Elements whose codes fill 4 bytes. */
const elementsOfFour = { '2bit': 16, '1bit': 32 } as const;
const defaultThresholds = { '2bit': 0.5, '1bit': 0 } as const;

/**
 * `given` checked and completed: `threshold` is 0.5 for `2bit` and 0 for `1bit` unless it says so.
 * It is kept as given; kernels round it to float32. Throws `bad_compression`.
 */
export function compressionSpec(given: unknown): CompressionSpec {
  if (!isPlainObject(given)) throw bad('{ type, threshold? }', given);
  const { type, ...options } = given;
  return compressionOf(type, options);
}

/** The same of a type and of the other options apart. Throws `bad_compression`. */
export function compressionOf(type: unknown, options: unknown): CompressionSpec {
  if (type !== '2bit' && type !== '1bit') throw bad('type "2bit" or "1bit"', type);
  if (!isPlainObject(options)) throw bad('{ threshold? }', options);
  const stranger = Object.keys(options).find((name) => name !== 'threshold');
  if (stranger !== undefined) throw bad(`option threshold of ${type}`, stranger);
  const { threshold = defaultThresholds[type] } = options;
  const isNumber = typeof threshold === 'number' && Number.isFinite(Math.fround(threshold));
  if (!isNumber || (type === '2bit' && !(Math.fround(threshold) > 0))) {
    throw bad(`a finite threshold${type === '2bit' ? ' above 0' : ''}`, threshold);
  }
  return Object.freeze({ type, threshold });
}

/** Bytes of the codes of `length` elements: whole groups of 4, none for no elements. */
export function compressedBytes(type: CompressionType, length: number): number {
  return 4 * Math.ceil(length / elementsOfFour[type]);
}

function bad(expected: string, got: unknown): KVStoreError {
  return new KVStoreError('bad_compression', `compression expected ${expected}, got ${show(got)}`);
}
