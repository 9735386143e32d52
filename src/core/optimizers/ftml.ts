import type { AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `ftml`: those of `adam`. */
export type FtmlOptions = AdamOptions;

/** See `ftml`; `scale` is `(1 - beta1^t) / lr`, `correction` is `1 / (1 - beta2^t)`. */
export const ftmlKernel: StepKernel = {
  name: 'ftml',
  slots: 3,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [d, v, z] = [slots[0]!, slots[1]!, slots[2]!];
    const [scale, correction, beta1, rest1, beta2, rest2, epsilon] = rounded<7>(h, f);
    for (let i = 0; i < w.length; i++) {
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const before = f(beta1 * d[i]!);
      d[i] = scale * f(f(Math.sqrt(f(v[i]! * correction))) + epsilon);
      const sigma = f(d[i]! - before);
      z[i] = f(f(beta1 * z[i]!) + f(rest1 * g[i]!)) - f(sigma * w[i]!);
      w[i] = -f(z[i]! / d[i]!);
    }
  },
};

/**
 * FTML (Zheng & Kwok, "Follow the Moving Leader in Deep Learning", 2017), as MXNet 2.0's `FTML`.
 * With t the number of the key's update:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     v = beta2 * v + (1 - beta2) * g^2
 *     d(t) = (1 - beta1^t) / lr * (sqrt(v / (1 - beta2^t)) + epsilon)
 *     z = beta1 * z + (1 - beta1) * g - (d(t) - beta1 * d(t - 1)) * w
 *     w = -z / d(t)
 *
 * `lr` has to be above 0.
 */
export const ftml = defineOptimizer<FtmlOptions>({
  name: 'ftml',
  defaults: { lr: 0.0025, beta1: 0.6, beta2: 0.999, epsilon: 1e-8 },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'positive' },
  slots: () => [zeroSlot('d'), zeroSlot('variance'), zeroSlot('z')],
  step: ({ beta1, beta2, epsilon }, { lr, wd, count }) => ({
    kernel: ftmlKernel,
    decay: wd,
    hyper: [
      (1 - beta1 ** count) / lr,
      1 / (1 - beta2 ** count),
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      epsilon,
    ],
  }),
});
