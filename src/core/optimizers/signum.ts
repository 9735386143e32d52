import { rounded, signOf, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `signum`. */
export interface SignumOptions extends CommonOptions {
  /** Share of the last average that is kept; 0 gives signSGD, which needs no slot. */
  readonly momentum: number;
  /** Weight decay beside the gradient: the weights shrink by `lr * wdLh`. */
  readonly wdLh: number;
}

/** `w = keep * w - lr * sign(g)`. */
export const signKernel: StepKernel = {
  name: 'sign',
  slots: 0,
  whole: false,
  run({ w, g, f }, h) {
    const [lr, keep] = rounded<2>(h, f);
    for (let i = 0; i < w.length; i++) w[i] = f(keep * w[i]!) - f(lr * signOf(g[i]!));
  },
};

/** `m = momentum * m - rest * g`, `w = keep * w + lr * sign(m)`. */
export const signumKernel: StepKernel = {
  name: 'signum',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const m = slots[0]!;
    const [lr, keep, momentum, rest] = rounded<4>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(momentum * m[i]!) - f(rest * g[i]!);
      w[i] = f(keep * w[i]!) + f(lr * signOf(m[i]!));
    }
  },
};

/**
 * Signum (Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", 2018), as
 * MXNet 2.0's `Signum`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = momentum * m - (1 - momentum) * g
 *     w = (1 - lr * wdLh) * w + lr * sign(m)
 *
 * and without momentum `w = (1 - lr * (wd + wdLh)) * w - lr * sign(g)`, `g` without decay.
 */
export const signum = defineOptimizer<SignumOptions>({
  name: 'signum',
  defaults: { lr: 0.01, momentum: 0.9, wdLh: 0 },
  checks: { momentum: 'share', wdLh: 'nonNegative' },
  slots: ({ momentum }) => (momentum === 0 ? [] : [zeroSlot('momentum')]),
  step: ({ momentum, wdLh }, { lr, wd }) =>
    momentum === 0
      ? { kernel: signKernel, hyper: [lr, 1 - lr * (wd + wdLh)] }
      : {
          kernel: signumKernel,
          decay: wd,
          hyper: [lr, 1 - lr * wdLh, momentum, 1 - momentum],
        },
});
