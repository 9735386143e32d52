import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `nag`. */
export interface NagOptions extends CommonOptions {
  /** Share of the last step that is kept. */
  readonly momentum: number;
}

/** `m = momentum * m - lr * g`, `w = w + momentum * m - lr * g`. */
export const nagKernel: StepKernel = {
  name: 'nag',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const m = slots[0]!;
    const [lr, momentum] = rounded<2>(h, f);
    for (let i = 0; i < w.length; i++) {
      const step = f(lr * g[i]!);
      m[i] = f(momentum * m[i]!) - step;
      w[i] = w[i]! + f(f(momentum * m[i]!) - step);
    }
  },
};

/**
 * Nesterov's accelerated gradient, as MXNet 2.0's `NAG`; the form of Sutskever et al., "On the
 * importance of initialization and momentum in deep learning" (2013), seen from the looked-ahead
 * weights:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = momentum * m - lr * g
 *     w = w + momentum * m - lr * g
 */
export const nag = defineOptimizer<NagOptions>({
  name: 'nag',
  defaults: { lr: 0.1, momentum: 0.9 },
  checks: { momentum: 'nonNegative' },
  slots: () => [zeroSlot('momentum')],
  step: ({ momentum }, { lr, wd }) => ({ kernel: nagKernel, decay: wd, hyper: [lr, momentum] }),
});
