import { hashKey, normal } from './noise.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, type CommonOptions } from './optimizer.js';

/** Options of `sgld`. */
export interface SgldOptions extends CommonOptions {
  /** Start of the noise: the same seed gives the same noise on every run. */
  readonly seed: number;
}

/** `w = w - half * g + deviation * noise`; `half` is `lr / 2`. */
export const sgldKernel: StepKernel = {
  name: 'sgld',
  slots: 0,
  whole: false,
  run({ w, g, begin, f }, h) {
    const [half, deviation] = rounded<2>(h, f);
    const [low, high] = h.slice(2) as [number, number];
    for (let i = 0; i < w.length; i++) {
      const noise = f(normal(low, high, begin + i));
      w[i] = f(w[i]! - f(half * g[i]!)) + f(deviation * noise);
    }
  },
};

/**
 * Stochastic gradient Langevin dynamics (Welling & Teh, "Bayesian Learning via Stochastic Gradient
 * Langevin Dynamics", 2011), as MXNet 2.0's `SGLD`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     w = w - lr / 2 * g + sqrt(lr) * noise,    noise from the normal distribution
 *
 * The noise is a function of seed, key, number of the update and element: see `normal`.
 */
export const sgld = defineOptimizer<SgldOptions>({
  name: 'sgld',
  defaults: { lr: 0.1, seed: 0 },
  checks: { seed: 'count' },
  slots: () => [],
  step: ({ seed }, { lr, wd, count, key }) => {
    const [low, high] = hashKey(seed, key, count);
    return { kernel: sgldKernel, decay: wd, hyper: [lr / 2, Math.sqrt(lr), low, high] };
  },
});
