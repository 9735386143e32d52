import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `dcasgd`. */
export interface DcasgdOptions extends CommonOptions {
  /** Share of the last step that is kept. */
  readonly momentum: number;
  /** Strength of the delay compensation. MXNet's `lamda` is accepted. */
  readonly lambda: number;
}

/** `d = g + lambda * g * g * (w - p)`, `m = momentum * m - lr * d`, `p = w`, `w = w + m`. */
export const dcasgdKernel: StepKernel = {
  name: 'dcasgd',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, p] = [slots[0]!, slots[1]!];
    const [lr, momentum, lambda] = rounded<3>(h, f);
    for (let i = 0; i < w.length; i++) {
      const moved = f(f(g[i]! * g[i]!) * f(w[i]! - p[i]!));
      const d = f(g[i]! + f(lambda * moved));
      m[i] = f(momentum * m[i]!) - f(lr * d);
      p[i] = w[i]!;
      w[i] = w[i]! + m[i]!;
    }
  },
};

/**
 * Delay-compensated asynchronous SGD (Zheng et al., "Asynchronous Stochastic Gradient Descent with
 * Delay Compensation", 2017), as MXNet 2.0's `DCASGD`; p are the weights before the last update:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = momentum * m - lr * (g + lambda * g^2 * (w - p))
 *     p = w
 *     w = w + m
 */
export const dcasgd = defineOptimizer<DcasgdOptions>({
  name: 'dcasgd',
  defaults: { lr: 0.1, momentum: 0, lambda: 0.04 },
  checks: { momentum: 'nonNegative', lambda: 'nonNegative' },
  aliases: { lamda: 'lambda' },
  slots: () => [zeroSlot('momentum'), { name: 'previous', init: 'weights' }],
  step: ({ momentum, lambda }, { lr, wd }) => ({
    kernel: dcasgdKernel,
    decay: wd,
    hyper: [lr, momentum, lambda],
  }),
});
