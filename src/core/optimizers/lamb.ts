import type { AdamOptions } from './adam.js';
import { rounded, sumOfSquares, type FloatData, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `lamb`: those of `adam`, and more. */
export interface LambOptions extends AdamOptions {
  /** Lower and upper limit of the norm of the weights; undefined: none. */
  readonly lowerBound: number | undefined;
  readonly upperBound: number | undefined;
  /** Whether the averages' bias toward zero is corrected. */
  readonly biasCorrection: boolean;
}

/**
 * Two passes: the averages and the norms of `w` and the direction `r`; then `w = w - lr * ratio * r`.
 * `c1` and `c2` are the bias corrections, factors on both averages.
 */
export const lambKernel: StepKernel = {
  name: 'lamb',
  slots: 2,
  whole: true,
  run({ w, g, slots, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon, c1, c2, wd] = rounded<9>(h, f);
    const [lower, upper] = h.slice(9) as [number, number];
    const r = g; // Each element of g is read for the last time when r's is made.
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const adapted = f(f(m[i]! * c1) / f(f(Math.sqrt(f(v[i]! * c2))) + epsilon));
      r[i] = adapted + f(wd * w[i]!);
    }
    const rate = f(lr * f(trustRatio(w, r, lower, upper)));
    for (let i = 0; i < w.length; i++) w[i] = w[i]! - f(rate * r[i]!);
  },
};

/** `|w| / |r|` with `|w|` within the limits; 1 where either is 0 or no number. */
export function trustRatio(w: FloatData, r: FloatData, lower: number, upper: number): number {
  const size = Math.sqrt(sumOfSquares(w));
  const limited = size < lower ? lower : size > upper ? upper : size;
  const length = Math.sqrt(sumOfSquares(r));
  return limited > 0 && length > 0 ? limited / length : 1;
}

/**
 * LAMB (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020),
 * as MXNet 2.0's `LAMB`. With t the number of the key's update; norms in double precision:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     r = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + wd * w
 *     w = w - lr * min(max(|w|, lowerBound), upperBound) / |r| * r
 *
 * The ratio is 1 where a norm is 0.
 */
export const lamb = defineOptimizer<LambOptions>({
  name: 'lamb',
  defaults: {
    lr: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-6,
    lowerBound: undefined,
    upperBound: undefined,
    biasCorrection: true,
  },
  checks: {
    beta1: 'share',
    beta2: 'share',
    epsilon: 'nonNegative',
    lowerBound: 'nonNegative',
    upperBound: 'positive',
    biasCorrection: 'boolean',
  },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon, lowerBound = 0, upperBound = Infinity } = options;
    const c1 = options.biasCorrection ? 1 / (1 - beta1 ** count) : 1;
    const c2 = options.biasCorrection ? 1 / (1 - beta2 ** count) : 1;
    const averages = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, c1, c2];
    return { kernel: lambKernel, hyper: [lr, ...averages, wd, lowerBound, upperBound] };
  },
});
