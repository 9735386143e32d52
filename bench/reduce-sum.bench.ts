import { kernels } from '../native/kernels.js';
import * as reference from '../native/reference.js';
import { digest, floats, integers, showCount } from './arrays.js';
import { repeat, type Bench } from './harness.js';
import { byteLimit, bytesMoved, limitName } from './limit.js';

const inputCount = 4;

/** Is a sum read once and written once, or does the store pay for more? */
export const bench: Bench = {
  name: 'reduce-sum',
  question: 'Does the native sum of four inputs run as fast as the machine moves bytes?',
  sizes: { smoke: [1000], full: [16_384, 10_000_000] },
  setup(length) {
    const inputs = Array.from({ length: inputCount }, (_, k) => integers(length, k));
    const [native, plain] = [floats(length), floats(length)];
    const oneArray = native.byteLength;
    const traffic = { read: inputCount * oneArray, written: oneArray };
    return {
      about: `${inputCount} inputs of ${showCount(length)} float32`,
      baseline: limitName,
      bytes: bytesMoved(traffic),
      variants: {
        [limitName]: byteLimit(traffic),
        native: {
          run: repeat(() => kernels.reduceSum(inputs, native)),
          check: { answer: () => digest([native]) },
        },
        reference: {
          run: repeat(() => reference.reduceSum(inputs, plain)),
          check: { answer: () => digest([plain]) },
        },
      },
    };
  },
};
