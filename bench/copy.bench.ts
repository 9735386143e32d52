import { kernels } from '../native/kernels.js';
import * as reference from '../native/reference.js';
import { digest, floats, integers, showCount } from './arrays.js';
import { repeat, type Bench, type Prepared } from './harness.js';
import { byteLimit, bytesMoved, limitName } from './limit.js';

/** What does a pull to one device cost? */
export const copyToOne: Bench = {
  name: 'copy-1',
  question: 'Does the native copy to one out run as fast as the machine moves bytes?',
  sizes: { smoke: [1000], full: [16_384, 10_000_000] },
  setup: (length) => copyTo(1, length),
};

/** What does a pull to four devices cost, when the source need be read only once? */
export const copyToFour: Bench = {
  name: 'copy-4',
  question: 'Does the native copy to four outs run as fast as the machine moves bytes?',
  sizes: { smoke: [1000], full: [16_384, 10_000_000] },
  setup: (length) => copyTo(4, length),
};

function copyTo(outCount: number, length: number): Prepared {
  const source = integers(length, 1);
  const outs = (): Float32Array[] => Array.from({ length: outCount }, () => floats(length));
  const [native, plain] = [outs(), outs()];
  const traffic = { read: source.byteLength, written: outCount * source.byteLength };
  return {
    about: `${showCount(length)} float32 to ${outCount} ${outCount === 1 ? 'out' : 'outs'}`,
    baseline: limitName,
    bytes: bytesMoved(traffic),
    variants: {
      [limitName]: byteLimit(traffic),
      native: {
        run: repeat(() => kernels.copy(source, native)),
        check: { answer: () => digest(native) },
      },
      reference: {
        run: repeat(() => reference.copy(source, plain)),
        check: { answer: () => digest(plain) },
      },
    },
  };
}
