import { rounded, sumOfSquares, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `lars`. */
export interface LarsOptions extends CommonOptions {
  /** Share of the last step that is kept. */
  readonly momentum: number;
  /** Trust coefficient: the length of a step relative to that of the weights. */
  readonly eta: number;
  /** Added to the norms, against division by zero. */
  readonly epsilon: number;
}

/** See `lars`: the norms, then SGD with momentum. */
export const larsKernel: StepKernel = {
  name: 'lars',
  slots: 1,
  whole: true,
  keepsGradient: true,
  run({ w, g, slots, f }, h) {
    const m = slots[0]!;
    const [lr, momentum, wd] = rounded<3>(h, f);
    const [, , decay, eta, epsilon] = h as [number, number, number, number, number];
    const [weights, gradients] = [Math.sqrt(sumOfSquares(w)), Math.sqrt(sumOfSquares(g))];
    const trusted = weights > 0 && gradients > 0;
    const ratio = trusted ? (eta * weights) / (gradients + decay * weights + epsilon) : 1;
    const rate = f(lr * ratio);
    for (let i = 0; i < w.length; i++) {
      const step = f(rate * f(g[i]! + f(wd * w[i]!)));
      m[i] = f(momentum * m[i]!) - step;
      w[i] = w[i]! + m[i]!;
    }
  },
};

/**
 * LARS (You, Gitman & Ginsburg, "Large Batch Training of Convolutional Networks", 2017), as MXNet
 * 2.0's `LARS`; norms in double precision:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     ratio = eta * |w| / (|g| + wd * |w| + epsilon), or 1 where a norm is 0
 *     m = momentum * m - lr * ratio * (g + wd * w)
 *     w = w + m
 */
export const lars = defineOptimizer<LarsOptions>({
  name: 'lars',
  defaults: { lr: 0.1, momentum: 0, eta: 0.001, epsilon: 1e-8 },
  checks: { momentum: 'nonNegative', eta: 'positive', epsilon: 'nonNegative' },
  slots: () => [zeroSlot('momentum')],
  step: ({ momentum, eta, epsilon }, { lr, wd }) => ({
    kernel: larsKernel,
    hyper: [lr, momentum, wd, eta, epsilon],
  }),
});
