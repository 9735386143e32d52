import type { AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `nadam`: those of `adam`, and one more. */
export interface NadamOptions extends AdamOptions {
  /** How fast the momentum rises to `beta1`. */
  readonly scheduleDecay: number;
}

/**
 * `m = beta1 * m + rest1 * g`, `v = beta2 * v + rest2 * g * g`,
 * `w = w - (lrG * g + lrM * m) / (sqrt(v * correction) + epsilon)`.
 */
export const nadamKernel: StepKernel = {
  name: 'nadam',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lrG, lrM, beta1, rest1, beta2, rest2, epsilon, correction] = rounded<8>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const step = f(f(lrG * g[i]!) + f(lrM * m[i]!));
      w[i] = w[i]! - f(step / f(f(Math.sqrt(f(v[i]! * correction))) + epsilon));
    }
  },
};

/**
 * Nadam (Dozat, "Incorporating Nesterov Momentum into Adam", 2016), as MXNet 2.0's `Nadam`, but with
 * the product of momenta kept per key. With t the number of the key's update:
 *
 *     mu(t) = beta1 * (1 - 0.5 * 0.96^(t * scheduleDecay))
 *     p = mu(1) * ... * mu(t)
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     d = (1 - mu(t)) * g / (1 - p) + mu(t + 1) * m / (1 - p * mu(t + 1))
 *     w = w - lr * d / (sqrt(v / (1 - beta2^t)) + epsilon)
 */
export const nadam = defineOptimizer<NadamOptions>({
  name: 'nadam',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, scheduleDecay: 0.004 },
  checks: {
    beta1: 'share',
    beta2: 'share',
    epsilon: 'nonNegative',
    scheduleDecay: 'nonNegative',
  },
  counters: { momentumProduct: 1 },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: ({ beta1, beta2, epsilon, scheduleDecay }, { lr, wd, count, counters }) => {
    const momentumAt = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * scheduleDecay));
    const [now, next] = [momentumAt(count), momentumAt(count + 1)];
    const momentumProduct = counters['momentumProduct']! * now;
    const lrG = (lr * (1 - now)) / (1 - momentumProduct);
    const lrM = (lr * next) / (1 - momentumProduct * next);
    const correction = 1 / (1 - beta2 ** count);
    return {
      kernel: nadamKernel,
      decay: wd,
      hyper: [lrG, lrM, beta1, 1 - beta1, beta2, 1 - beta2, epsilon, correction],
      counters: { momentumProduct },
    };
  },
});
