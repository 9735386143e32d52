import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `sgd`. */
export interface SgdOptions extends CommonOptions {
  /** Share of the last step that is kept; 0 needs no slot. */
  readonly momentum: number;
}

/** `w = w - lr * g`. */
export const sgdKernel: StepKernel = {
  name: 'sgd',
  slots: 0,
  whole: false,
  run({ w, g, f }, h) {
    const [lr] = rounded<1>(h, f);
    for (let i = 0; i < w.length; i++) w[i] = w[i]! - f(lr * g[i]!);
  },
};

/** `m = momentum * m - lr * g`, `w = w + m`. */
export const sgdMomentumKernel: StepKernel = {
  name: 'sgdMomentum',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const m = slots[0]!;
    const [lr, momentum] = rounded<2>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(momentum * m[i]!) - f(lr * g[i]!);
      w[i] = w[i]! + m[i]!;
    }
  },
};

/**
 * Stochastic gradient descent with momentum, as MXNet 2.0 defines it (its optimizer `SGD`):
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = momentum * m - lr * g
 *     w = w + m
 *
 * and without momentum `w = w - lr * g`. `lr` and `wd` are those of the key: times its factors.
 */
export const sgd = defineOptimizer<SgdOptions>({
  name: 'sgd',
  defaults: { lr: 0.1, momentum: 0 },
  checks: { momentum: 'nonNegative' },
  slots: ({ momentum }) => (momentum === 0 ? [] : [zeroSlot('momentum')]),
  step: ({ momentum }, { lr, wd }) =>
    momentum === 0
      ? { kernel: sgdKernel, decay: wd, hyper: [lr] }
      : { kernel: sgdMomentumKernel, decay: wd, hyper: [lr, momentum] },
});
