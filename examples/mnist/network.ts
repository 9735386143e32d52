import type { Tensor } from 'tensorkv';
import { normals } from './random.js';

/** Pixels of an image, neurons of the hidden layer, digits. */
export interface Sizes {
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
}

/** The network of this example. */
export const mnistSizes: Sizes = { inputs: 28 * 28, hidden: 128, classes: 10 };

/** Keys of the network's parameters in the store. */
export const parameterKeys = [
  'hidden/weight',
  'hidden/bias',
  'output/weight',
  'output/bias',
] as const;

/** The key of one parameter. */
export type ParameterKey = (typeof parameterKeys)[number];

/** The shape of each parameter. */
export function parameterShapes(sizes: Sizes): Readonly<Record<ParameterKey, readonly number[]>> {
  return {
    'hidden/weight': [sizes.inputs, sizes.hidden],
    'hidden/bias': [sizes.hidden],
    'output/weight': [sizes.hidden, sizes.classes],
    'output/bias': [sizes.classes],
  };
}

/**
 * Fills `weights`, in the order of `parameterKeys`, with He's initial values: normal numbers of
 * variance 2 / inputs for what feeds a rectifier, zero for the biases.
 */
export function initialise(weights: readonly Tensor[], sizes: Sizes, seed: number): void {
  const next = normals(seed);
  const [hiddenWeight, hiddenBias, outputWeight, outputBias] = weights;
  const fill = (weight: Tensor | undefined, inputs: number): void => {
    const scale = Math.sqrt(2 / inputs);
    weight?.data.forEach((_, i, data) => {
      data[i] = scale * next();
    });
  };
  fill(hiddenWeight, sizes.inputs);
  fill(outputWeight, sizes.hidden);
  hiddenBias?.fill(0);
  outputBias?.fill(0);
}
