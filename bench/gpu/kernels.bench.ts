import { zeros, type Tensor } from 'tensorkv';
import type { Operation } from '../../native/cuda/operation-words.js';
import { enqueue } from '../../native/cuda/queue.js';
import { kernels, type StepArguments } from '../../native/kernels.js';
import { loadAddon } from '../../native/addon.js';
import { DeviceArray } from '../../src/core/device-array.js';
import { momentOf } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed, type OptimizerName } from '../../src/core/optimizers/registry.js';
import { arrayOf } from '../../src/core/tensor.js';
import { digest, floats, integers, showCount } from '../arrays.js';
import type { Bench } from '../harness.js';
import { copyOf, gpu, gpuIntegers, repeatOnDevice } from './device.js';

/** Adds up `sources` gradients, updates, and writes `replicas` copies of the weights. */
interface Question {
  readonly name: string;
  readonly optimizer: OptimizerName;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly sources: number;
  readonly replicas: number;
  /** Times that an array of the weights' size is read or written, beside sources and replicas. */
  readonly passes: number;
}

const questions: readonly Question[] = [
  { name: 'sgd', optimizer: 'sgd', sources: 1, replicas: 0, passes: 2 },
  ...[0, 4].flatMap((replicas): Question[] => [
    {
      ...{ name: 'momentum', optimizer: 'sgd', options: { momentum: 0.9 } },
      ...{ sources: 4, replicas, passes: 4 },
    },
    { name: 'adam', optimizer: 'adam', sources: 4, replicas, passes: 6 },
    { name: 'adamw', optimizer: 'adamw', sources: 4, replicas, passes: 6 },
    // Norms first: the second pass reads weights and averages once more.
    { name: 'lamb', optimizer: 'lamb', sources: 4, replicas, passes: 9 },
  ]),
  { name: 'adam', optimizer: 'adam', sources: 8, replicas: 0, passes: 6 },
];

/** Does a fused update run as fast as the device copies bytes? */
function kernelBench(question: Question): Bench {
  const { name, optimizer, options = {}, sources, replicas, passes } = question;
  return {
    name: `gpu-${name}-${sources}-${replicas}`,
    question:
      `Does the sum of ${sources} gradients with a step of ${name} and ${replicas} replicas run as fast ` +
      'as the device copies the bytes?',
    sizes: { smoke: [1000], full: [67_108_864] },
    setup(length) {
      const bytes = 4 * length * (sources + passes + replicas);
      const { rule, hyper, slots } = stepOf(optimizer, options, length);
      const inputs = Array.from({ length: sources }, (_, k) => gpuIntegers(length, k));
      const [stored, ...rest] = Array.from({ length: 1 + slots + replicas }, () =>
        zeros([length], { device: gpu }),
      ) as [Tensor, ...Tensor[]];
      const arrays = (list: readonly Tensor[]): DeviceArray[] => list.map(onDevice);
      const operation: Operation = {
        code: 'step',
        dtype: 'float32',
        length,
        rule: numberOf(rule),
        hyper,
        inputs: arrays(inputs),
        stored: onDevice(stored),
        slots: arrays(rest.slice(0, slots)),
        outs: arrays(rest.slice(slots)),
      };
      return {
        about: `${sources} gradients of ${showCount(length)} float32, ${replicas} replicas`,
        baseline: 'copy',
        bytes,
        verifyTimes: 2,
        expected: expectedAfter(2, { rule, hyper, slots, length, sources }),
        variants: {
          copy: copyOf(bytes),
          kernel: {
            run: repeatOnDevice(() => enqueue(gpu.index, operation)),
            check: { answer: () => digest([stored.toFloat32()]) },
          },
        },
      };
    },
  };
}

/** What an update is made of. */
interface Step {
  readonly rule: string;
  readonly hyper: Float64Array;
  readonly slots: number;
}

function stepOf(
  name: OptimizerName,
  given: Readonly<Record<string, unknown>>,
  length: number,
): Step {
  const optimizer = optimizerNamed(name);
  const options = optimizer.resolve({ lr: 1e-3, wd: 1e-4, ...given });
  const target = { key: 'w', shape: [length], count: 9, counters: optimizer.counters };
  const { kernel, hyper, decay = 0 } = optimizer.step(options, momentOf(options, target));
  return {
    rule: kernel.name,
    hyper: Float64Array.of(1, Infinity, decay, 0, ...hyper),
    slots: optimizer.slots(options, [length]).length,
  };
}

/** A digest of the weights that the CPU gets, from zeros. */
function expectedAfter(
  times: number,
  {
    rule,
    hyper,
    slots,
    length,
    sources,
  }: Step & { readonly length: number; readonly sources: number },
): string {
  const stored = floats(length);
  const args: StepArguments = {
    ...{ dtype: 'float32', shape: [length], stored, hyper },
    inputs: Array.from({ length: sources }, (_, k) => integers(length, k)),
    slots: Array.from({ length: slots }, () => floats(length)),
  };
  for (let i = 0; i < times; i++) kernels.step(rule, args);
  return digest([stored]);
}

function onDevice(tensor: Tensor): DeviceArray {
  const elements = arrayOf(tensor);
  if (elements instanceof DeviceArray) return elements;
  throw new Error('expected a tensor on a CUDA device');
}

function numberOf(rule: string): number {
  return loadAddon().addon!.steps.indexOf(rule);
}

export const gpuKernels: readonly Bench[] = questions.map(kernelBench);
