import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `adamax`. */
export interface AdamaxOptions extends CommonOptions {
  /** Share of the gradient's average that is kept. */
  readonly beta1: number;
  /** Share of the largest gradient that is kept. */
  readonly beta2: number;
}

/** `m = beta1 * m + rest1 * g`, `u = max(beta2 * u, |g|)`, `w = w - lr * m / u` where `u` is not 0. */
export const adamaxKernel: StepKernel = {
  name: 'adamax',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, u] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2] = rounded<4>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      const [kept, size] = [f(beta2 * u[i]!), Math.abs(g[i]!)];
      u[i] = kept > size ? kept : size;
      w[i] = w[i]! - f(f(lr * m[i]!) / (u[i] === 0 ? 1 : u[i]!));
    }
  },
};

/**
 * Adamax (Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, section 7.1), as MXNet
 * 2.0's `Adamax`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     u = max(beta2 * u, |g|)
 *     w = w - lr / (1 - beta1^t) * m / u
 *
 * An element whose gradients were all 0 stays where it is.
 */
export const adamax = defineOptimizer<AdamaxOptions>({
  name: 'adamax',
  defaults: { lr: 0.002, beta1: 0.9, beta2: 0.999 },
  checks: { beta1: 'share', beta2: 'share' },
  slots: () => [zeroSlot('mean'), zeroSlot('largest')],
  step: ({ beta1, beta2 }, { lr, wd, count }) => ({
    kernel: adamaxKernel,
    decay: wd,
    hyper: [lr / (1 - beta1 ** count), beta1, 1 - beta1, beta2],
  }),
});
