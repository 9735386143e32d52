import type { StepArguments } from '../../native/kernels.js';
import { digest, floats, integerAt } from '../arrays.js';
import type { Traffic } from '../limit.js';

/**
 * One step of training as a store sees it: every device pushes a gradient for each tensor, the sums
 * update the stored tensors by SGD with momentum, and every device gets the results. Gradients stay
 * the same from step to step, so all that is measured is the store.
 */
export interface StepProblem {
  /** Elements of each tensor. */
  readonly sizes: readonly number[];
  /** Elements of all tensors. */
  readonly length: number;
  readonly devices: number;
  /** For each device the gradients of all tensors, end to end. */
  readonly gradients: readonly Float32Array[];
}

/** What one implementation of the step works on beside the gradients; tensors lie end to end. */
export interface StepState {
  readonly stored: Float32Array;
  readonly momentum: Float32Array;
  /** For each device its copy of the stored tensors. */
  readonly outs: readonly Float32Array[];
}

/** The step's optimizer; powers of two, so that the first steps are exact. */
export const hyper = {
  lr: 0.5,
  momentum: 0.5,
  wd: 0,
  rescaleGrad: 1,
  clipGradient: undefined,
} as const;

/** The kernel's part of the step, for one tensor. */
export function momentumStep(
  inputs: readonly Float32Array[],
  stored: Float32Array,
  momentum: Float32Array,
): StepArguments {
  return {
    dtype: 'float32',
    shape: [stored.length],
    inputs,
    stored,
    slots: [momentum],
    hyper: kernelHyper,
  };
}

const kernelHyper = Float64Array.of(
  hyper.rescaleGrad,
  Infinity,
  hyper.wd,
  0,
  hyper.lr,
  hyper.momentum,
);

/** Steps before answers are compared: the second one uses the momentum of the first. */
export const verifySteps = 2;

/** A step over tensors of `sizes`, each gradient element a small integer. */
export function stepProblem(sizes: readonly number[], devices: number): StepProblem {
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const gradients = Array.from({ length: devices }, (_, device) => {
    const gradient = floats(length);
    for (let i = 0; i < length; i++) gradient[i] = integerAt(i, device);
    return gradient;
  });
  return { sizes, length, devices, gradients };
}

/** Zeros for one implementation of the step. */
export function stepState({ length, devices }: StepProblem): StepState {
  const outs = Array.from({ length: devices }, () => floats(length));
  return { stored: floats(length), momentum: floats(length), outs };
}

/** A digest for each device of what it got. */
export function stepAnswer(outs: readonly (readonly Float32Array[])[]): string {
  return outs.map(digest).join(' ');
}

/** The right answer after `verifySteps` steps from zero, by the formula and not by steps. */
export function expectedAnswer({ length, devices }: StepProblem): string {
  const out = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let device = 0; device < devices; device++) sum += integerAt(i, device);
    // m1 = -sum / 2; m2 = m1 / 2 - sum / 2; w2 = m1 + m2.
    out[i] = -1.25 * sum;
  }
  return new Array<string>(devices).fill(digest([out])).join(' ');
}

/**
 * Bytes that must move in a step: each gradient is read, stored and momentum are read and updated,
 * and every device's copy is written.
 */
export function stepTraffic({ length, devices }: Pick<StepProblem, 'length' | 'devices'>): Traffic {
  const all = length * Float32Array.BYTES_PER_ELEMENT;
  return { read: (devices + 2) * all, updated: 2 * all, written: devices * all };
}

/** `flat` cut into tensors of `sizes`. */
export function cut(flat: Float32Array, sizes: readonly number[]): Float32Array[] {
  let begin = 0;
  return sizes.map((size) => flat.subarray(begin, (begin += size)));
}
