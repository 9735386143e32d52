import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `rmsprop`. */
export interface RmspropOptions extends CommonOptions {
  /** Share of the averages that is kept; MXNet 1.x calls it `gamma1`, which is accepted. */
  readonly rho: number;
  /** Share of the last step that is kept when `centered`; also accepted as `gamma2`. */
  readonly momentum: number;
  /** Added against division by zero. */
  readonly epsilon: number;
  /** Whether the variance is taken around the gradient's mean (Graves). */
  readonly centered: boolean;
  /** Weights are limited to [-clipWeights, clipWeights] after the step; undefined: not at all. */
  readonly clipWeights: number | undefined;
}

const limited = (x: number, limit: number): number => (x < -limit ? -limit : x > limit ? limit : x);

/** `v = rho * v + rest * g * g`, `w = w - lr * g / (sqrt(v) + epsilon)`, limited. */
export const rmspropKernel: StepKernel = {
  name: 'rmsprop',
  slots: 1,
  whole: false,
  run({ w, g, slots, f }, h) {
    const v = slots[0]!;
    const [lr, rho, rest, epsilon, limit] = rounded<5>(h, f);
    for (let i = 0; i < w.length; i++) {
      v[i] = f(rho * v[i]!) + f(rest * f(g[i]! * g[i]!));
      const step = f(f(lr * g[i]!) / f(f(Math.sqrt(v[i]!)) + epsilon));
      w[i] = limited(f(w[i]! - step), limit);
    }
  },
};

/** See the second half of `rmsprop`. */
export const rmspropCenteredKernel: StepKernel = {
  name: 'rmspropCentered',
  slots: 3,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [v, a, m] = [slots[0]!, slots[1]!, slots[2]!];
    const [lr, rho, rest, epsilon, limit, momentum] = rounded<6>(h, f);
    for (let i = 0; i < w.length; i++) {
      v[i] = f(rho * v[i]!) + f(rest * f(g[i]! * g[i]!));
      a[i] = f(rho * a[i]!) + f(rest * g[i]!);
      const spread = f(f(v[i]! - f(a[i]! * a[i]!)) + epsilon);
      m[i] = f(momentum * m[i]!) - f(f(lr * g[i]!) / f(Math.sqrt(spread)));
      w[i] = limited(f(w[i]! + m[i]!), limit);
    }
  },
};

/**
 * RMSProp (Tieleman & Hinton, lecture 6.5, 2012), and centred with momentum (Graves, "Generating
 * Sequences With Recurrent Neural Networks", 2013, equations 38 to 45), as MXNet 2.0's `RMSProp`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     v = rho * v + (1 - rho) * g^2
 *     w = w - lr * g / (sqrt(v) + epsilon)
 *
 * and when `centered`:
 *
 *     a = rho * a + (1 - rho) * g
 *     m = momentum * m - lr * g / sqrt(v - a^2 + epsilon)
 *     w = w + m
 */
export const rmsprop = defineOptimizer<RmspropOptions>({
  name: 'rmsprop',
  defaults: {
    lr: 0.001,
    rho: 0.9,
    momentum: 0.9,
    epsilon: 1e-8,
    centered: false,
    clipWeights: undefined,
  },
  checks: {
    rho: 'share',
    momentum: 'nonNegative',
    epsilon: 'positive',
    centered: 'boolean',
    clipWeights: 'positive',
  },
  aliases: { gamma1: 'rho', gamma2: 'momentum' },
  slots: ({ centered }) =>
    centered
      ? [zeroSlot('variance'), zeroSlot('mean'), zeroSlot('momentum')]
      : [zeroSlot('variance')],
  step: ({ rho, momentum, epsilon, centered, clipWeights }, { lr, wd }) => {
    const hyper = [lr, rho, 1 - rho, epsilon, clipWeights ?? Infinity];
    return centered
      ? { kernel: rmspropCenteredKernel, decay: wd, hyper: [...hyper, momentum] }
      : { kernel: rmspropKernel, decay: wd, hyper };
  },
});
