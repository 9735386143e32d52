import { kernels } from '../native/kernels.js';
import * as reference from '../native/reference.js';
import { compressedBytes, compressionSpec, type CompressionType } from '../src/core/compression.js';
import { digest, floats, integerAt, showCount } from './arrays.js';
import { repeat, type Bench } from './harness.js';
import { byteLimit, bytesMoved, limitName } from './limit.js';

const sizes = { smoke: [1000], full: [16_384, 4_194_304] } as const;

/** Does the compression of a gradient cost more than a look at it and at its residual? */
function encodeBench(type: CompressionType): Bench {
  return {
    name: `encode-${type}`,
    question: `Does the native ${type} encoder run as fast as the machine moves the bytes?`,
    sizes,
    setup(length) {
      const codec = compressionSpec({ type });
      const gradient = gradientOf(length);
      const [native, plain] = [codesOf(type, length), codesOf(type, length)];
      const oneArray = gradient.byteLength;
      const traffic = {
        read: 2 * oneArray,
        updated: oneArray,
        written: compressedBytes(type, length),
      };
      return {
        about: `${showCount(length)} float32 to codes, the residual updated`,
        baseline: limitName,
        bytes: bytesMoved(traffic),
        // What is left of the first gradient changes the codes of the second.
        verifyTimes: 2,
        variants: {
          [limitName]: byteLimit(traffic),
          native: {
            run: repeat(() => kernels.encode(codec, gradient, native.residual, native.bytes)),
            check: { answer: () => answerOf(native) },
          },
          reference: {
            run: repeat(() => reference.encode(codec, gradient, plain.residual, plain.bytes)),
            check: { answer: () => answerOf(plain) },
          },
        },
      };
    },
  };
}

/** Does the way back cost more than writing the values? */
function decodeBench(type: CompressionType): Bench {
  return {
    name: `decode-${type}`,
    question: `Does the native ${type} decoder run as fast as the machine moves the bytes?`,
    sizes,
    setup(length) {
      const codec = compressionSpec({ type });
      const { bytes, residual } = codesOf(type, length);
      reference.encode(codec, gradientOf(length), residual, bytes);
      const [native, plain] = [floats(length), floats(length)];
      const traffic = { read: bytes.byteLength, written: native.byteLength };
      return {
        about: `codes to ${showCount(length)} float32`,
        baseline: limitName,
        bytes: bytesMoved(traffic),
        variants: {
          [limitName]: byteLimit(traffic),
          native: {
            run: repeat(() => kernels.decode(codec, bytes, native)),
            check: { answer: () => digest([native]) },
          },
          reference: {
            run: repeat(() => reference.decode(codec, bytes, plain)),
            check: { answer: () => digest([plain]) },
          },
        },
      };
    },
  };
}

/** Sixteenths from -5 to 5: what is left stays bounded, and is exact, however often they are added. */
function gradientOf(length: number): Float32Array {
  const gradient = floats(length);
  for (let i = 0; i < length; i++) gradient[i] = (integerAt(i, 1) - 6) / 16;
  return gradient;
}

function codesOf(type: CompressionType, length: number) {
  const bytes = new Uint8Array(new SharedArrayBuffer(compressedBytes(type, length)));
  return { bytes, residual: floats(length) };
}

function answerOf({ bytes, residual }: ReturnType<typeof codesOf>): string {
  // Codes are whole groups of 4 bytes.
  return digest([residual, new Float32Array(bytes.buffer)]);
}

export const encode2bit = encodeBench('2bit');
export const encode1bit = encodeBench('1bit');
export const decode2bit = decodeBench('2bit');
export const decode1bit = decodeBench('1bit');
