import { kernels, type StepArguments } from '../native/kernels.js';
import * as reference from '../native/reference.js';
import { momentOf, type CommonOptions, type Optimizer } from '../src/core/optimizers/optimizer.js';
import { optimizerNamed, type OptimizerName } from '../src/core/optimizers/registry.js';
import { digest, floats, integers, showCount } from './arrays.js';
import { repeat, type Bench } from './harness.js';
import { byteLimit, bytesMoved, limitName } from './limit.js';

const inputCount = 4;

/** Passes over weights and slots beyond the one that every rule needs. */
interface Extra {
  readonly read: number;
  readonly updated: number;
}

/** Does a fused update cost more than the bytes that it must move? */
function stepBench(
  optimizer: OptimizerName,
  given: Partial<CommonOptions> & Readonly<Record<string, unknown>> = {},
  extra: Extra = { read: 0, updated: 0 },
): Bench {
  return {
    name: `${optimizer}-step`,
    question:
      `Does the native sum of four inputs with a step of ${optimizer} run as fast as the machine ` +
      'moves the bytes?',
    sizes: { smoke: [1000], full: [16_384, 4_194_304] },
    setup(length) {
      const inputs = Array.from({ length: inputCount }, (_, k) => integers(length, k));
      const native = problem(optimizerNamed(optimizer), given, inputs);
      const plain = problem(optimizerNamed(optimizer), given, inputs);
      const oneArray = length * Float32Array.BYTES_PER_ELEMENT;
      // Weights and slots are read too, and written in place.
      const arrays = native.args.slots.length + 1;
      const traffic = {
        read: (inputCount + arrays + extra.read) * oneArray,
        updated: (arrays + extra.updated) * oneArray,
      };
      const answer = ({ args }: ReturnType<typeof problem>) => ({
        answer: () => digest([args.stored as Float32Array, ...(args.slots as Float32Array[])]),
      });
      return {
        about: `${inputCount} inputs of ${showCount(length)} float32, weights and slots updated`,
        baseline: limitName,
        bytes: bytesMoved(traffic),
        verifyTimes: 2,
        variants: {
          [limitName]: byteLimit(traffic),
          native: {
            run: repeat(() => kernels.step(native.rule, native.args)),
            check: answer(native),
          },
          reference: {
            run: repeat(() => reference.step(plain.rule, plain.args)),
            check: answer(plain),
          },
        },
      };
    },
  };
}

/** One update as the store would ask for it, again and again. */
function problem(
  optimizer: Optimizer,
  given: Readonly<Record<string, unknown>>,
  inputs: readonly Float32Array[],
): { readonly rule: string; readonly args: StepArguments } {
  const { length } = inputs[0]!;
  const options = optimizer.resolve({ lr: 1e-3, wd: 1e-4, ...given });
  const target = { key: 'w', shape: [length], count: 9, counters: optimizer.counters };
  const step = optimizer.step(options, momentOf(options, target));
  const args: StepArguments = {
    dtype: 'float32',
    shape: [length],
    inputs,
    stored: floats(length),
    slots: optimizer
      .slots(options, [length])
      .map(() => new Float32Array(new SharedArrayBuffer(4 * length))),
    hyper: Float64Array.of(1, Infinity, step.decay ?? 0, 0, ...step.hyper),
  };
  return { rule: step.kernel.name, args };
}

export const sgdStep = stepBench('sgd', { momentum: 0.9 });
export const adamStep = stepBench('adam');
export const adamwStep = stepBench('adamw');
// The second pass of LAMB reads the weights and both averages again, and writes the weights.
export const lambStep = stepBench('lamb', {}, { read: 3, updated: 0 });
