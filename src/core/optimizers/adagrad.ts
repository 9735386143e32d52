import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `adagrad`. */
export interface AdagradOptions extends CommonOptions {
  /** Added to the root, against division by zero. */
  readonly epsilon: number;
}

/** `s = s + g * g`, `w = w - lr * g / (sqrt(s) + epsilon)`. */
export const adagradKernel: StepKernel = {
  name: 'adagrad',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const s = slots[0]!;
    const [lr, epsilon] = rounded<2>(h, f);
    for (let i = 0; i < w.length; i++) {
      s[i] = s[i]! + f(g[i]! * g[i]!);
      w[i] = w[i]! - f(f(lr * g[i]!) / f(f(Math.sqrt(s[i]!)) + epsilon));
    }
  },
};

/**
 * AdaGrad (Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
 * Optimization", 2011), as MXNet 2.0's `AdaGrad`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     s = s + g^2
 *     w = w - lr * g / (sqrt(s) + epsilon)
 */
export const adagrad = defineOptimizer<AdagradOptions>({
  name: 'adagrad',
  defaults: { lr: 0.01, epsilon: 1e-6 },
  checks: { epsilon: 'nonNegative' },
  slots: () => [zeroSlot('history')],
  step: ({ epsilon }, { lr, wd }) => ({ kernel: adagradKernel, decay: wd, hyper: [lr, epsilon] }),
});
