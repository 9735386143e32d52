import { rounded, signOf, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `lion`. */
export interface LionOptions extends CommonOptions {
  /** Share of the average in the direction of a step. */
  readonly beta1: number;
  /** Share of the average that is kept. */
  readonly beta2: number;
}

/** `c = beta1 * m + rest1 * g`, `w = w - (lr * sign(c) + decay * w)`, `m = beta2 * m + rest2 * g`. */
export const lionKernel: StepKernel = {
  name: 'lion',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const m = slots[0]!;
    const [lr, beta1, rest1, beta2, rest2, decay] = rounded<6>(h, f);
    for (let i = 0; i < w.length; i++) {
      const c = f(f(beta1 * m[i]!) + f(rest1 * g[i]!));
      w[i] = w[i]! - f(f(lr * signOf(c)) + f(decay * w[i]!));
      m[i] = f(beta2 * m[i]!) + f(rest2 * g[i]!);
    }
  },
};

/**
 * Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023):
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     w = w - lr * (sign(beta1 * m + (1 - beta1) * g) + wd * w)
 *     m = beta2 * m + (1 - beta2) * g
 */
export const lion = defineOptimizer<LionOptions>({
  name: 'lion',
  defaults: { lr: 1e-4, beta1: 0.9, beta2: 0.99 },
  checks: { beta1: 'share', beta2: 'share' },
  slots: () => [zeroSlot('momentum')],
  step: ({ beta1, beta2 }, { lr, wd }) => ({
    kernel: lionKernel,
    hyper: [lr, beta1, 1 - beta1, beta2, 1 - beta2, lr * wd],
  }),
});
