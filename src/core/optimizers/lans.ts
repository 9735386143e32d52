import type { AdamOptions } from './adam.js';
import { trustRatio } from './lamb.js';
import { rounded, sumOfSquares, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `lans`: those of `adam`, and more. */
export interface LansOptions extends AdamOptions {
  /** Lower and upper limit of the norm of the weights; undefined: none. */
  readonly lowerBound: number | undefined;
  readonly upperBound: number | undefined;
}

/** See `lans`; `extra` holds the second direction. The gradient comes neither scaled nor clipped. */
export const lansKernel: StepKernel = {
  name: 'lans',
  slots: 2,
  whole: true,
  keepsGradient: true,
  extra: (shape) => shape.reduce((size, length) => size * length, 1),
  run({ w, g, slots, extra: q, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon, c1, c2, wd, , , clip] = rounded<12>(h, f);
    const [lower, upper] = h.slice(9) as [number, number];
    const norm = Math.sqrt(sumOfSquares(g));
    const scale = f(norm > 0 ? 1 / norm : 1);
    const r = g; // Each element of g is read for the last time when r's is made.
    for (let i = 0; i < w.length; i++) {
      let x = f(g[i]! * scale);
      if (x < -clip) x = -clip;
      if (x > clip) x = clip;
      m[i] = f(beta1 * m[i]!) + f(rest1 * x);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(x * x));
      const root = f(f(Math.sqrt(f(v[i]! * c2))) + epsilon);
      const decay = f(wd * w[i]!);
      r[i] = f(f(m[i]! * c1) / root) + decay;
      q[i] = f(x / root) + decay;
    }
    const rateM = f(f(lr * beta1) * f(trustRatio(w, r, lower, upper)));
    const rateG = f(f(lr * rest1) * f(trustRatio(w, q, lower, upper)));
    for (let i = 0; i < w.length; i++) w[i] = w[i]! - f(f(rateM * r[i]!) + f(rateG * q[i]!));
  },
};

/**
 * LANS (Zheng et al., "Accelerated Large Batch Optimization of BERT Pretraining in 54 minutes",
 * 2020). With t the number of the key's update; norms in double precision:
 *
 *     g = rescaleGrad * sum(inputs),  g = clip(g / |g|, clipGradient)
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     r = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + wd * w
 *     q = g / (sqrt(v / (1 - beta2^t)) + epsilon) + wd * w
 *     w = w - lr * |w| * (beta1 * r / |r| + (1 - beta1) * q / |q|)
 *
 * |w| is kept within the bounds, and a ratio is 1 where a norm is 0. Both directions are taken at the
 * same weights, as in the paper; MXNet 2.0 takes the second one after a part of the step.
 */
export const lans = defineOptimizer<LansOptions>({
  name: 'lans',
  defaults: {
    lr: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-6,
    lowerBound: undefined,
    upperBound: undefined,
  },
  checks: {
    beta1: 'share',
    beta2: 'share',
    epsilon: 'nonNegative',
    lowerBound: 'nonNegative',
    upperBound: 'positive',
  },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon, lowerBound = 0, upperBound = Infinity } = options;
    const corrections = [1 / (1 - beta1 ** count), 1 / (1 - beta2 ** count)];
    const averages = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, ...corrections];
    const clip = options.clipGradient ?? Infinity;
    return {
      kernel: lansKernel,
      hyper: [lr, ...averages, wd, lowerBound, upperBound, clip],
      clipsItself: true,
    };
  },
});
