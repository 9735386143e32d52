import { kernels } from '../native/kernels.js';
import * as reference from '../native/reference.js';
import { digest, floats, integers, showCount } from './arrays.js';
import { repeat, type Bench } from './harness.js';
import { byteLimit, bytesMoved, limitName } from './limit.js';
import { hyper } from './step/problem.js';

const inputCount = 4;

/** What does an update cost on top of the sum that it needs? */
export const bench: Bench = {
  name: 'sgd-step',
  question:
    'Does the native sum of four inputs with a step of SGD, momentum included, run as fast as ' +
    'the machine moves bytes?',
  sizes: { smoke: [1000], full: [16_384, 10_000_000] },
  setup(length) {
    const inputs = Array.from({ length: inputCount }, (_, k) => integers(length, k));
    const native = { stored: floats(length), momentum: floats(length) };
    const plain = { stored: floats(length), momentum: floats(length) };
    const oneArray = native.stored.byteLength;
    // Stored and momentum are read too, and written in place.
    const traffic = { read: (inputCount + 2) * oneArray, updated: 2 * oneArray };
    return {
      about: `${inputCount} inputs of ${showCount(length)} float32, stored and momentum updated`,
      baseline: limitName,
      bytes: bytesMoved(traffic),
      verifyTimes: 2,
      variants: {
        [limitName]: byteLimit(traffic),
        native: {
          run: repeat(() => kernels.sgdStep(inputs, native.stored, native.momentum, hyper)),
          check: { answer: () => digest([native.stored, native.momentum]) },
        },
        reference: {
          run: repeat(() => reference.sgdStep(inputs, plain.stored, plain.momentum, hyper)),
          check: { answer: () => digest([plain.stored, plain.momentum]) },
        },
      },
    };
  },
};
