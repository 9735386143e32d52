import { rounded, signOf, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `ftrl`. */
export interface FtrlOptions extends CommonOptions {
  /** Strength of the L1 penalty: weights it outweighs are 0. MXNet's `lamda1` is accepted. */
  readonly lambda1: number;
  /** Added to the root of the summed squares. */
  readonly beta: number;
}

/** See `ftrl`; `inverse` is `1 / lr`. */
export const ftrlKernel: StepKernel = {
  name: 'ftrl',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [z, n] = [slots[0]!, slots[1]!];
    const [inverse, lambda1, beta, wd] = rounded<4>(h, f);
    for (let i = 0; i < w.length; i++) {
      const before = f(Math.sqrt(n[i]!));
      n[i] = n[i]! + f(g[i]! * g[i]!);
      const root = f(Math.sqrt(n[i]!));
      const sigma = f(f(root - before) * inverse);
      z[i] = f(z[i]! + g[i]!) - f(sigma * w[i]!);
      const over = f(Math.abs(z[i]!) - lambda1);
      const scale = f(f(f(root + beta) * inverse) + wd);
      w[i] = over <= 0 ? 0 : -f(f(signOf(z[i]!) * over) / scale);
    }
  },
};

/**
 * FTRL-Proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013), as MXNet
 * 2.0's `Ftrl`; `wd` is the L2 penalty:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     sigma = (sqrt(n + g^2) - sqrt(n)) / lr
 *     z = z + g - sigma * w
 *     n = n + g^2
 *     w = 0 where |z| <= lambda1, else -sign(z) * (|z| - lambda1) / ((beta + sqrt(n)) / lr + wd)
 *
 * `lr` has to be above 0.
 */
export const ftrl = defineOptimizer<FtrlOptions>({
  name: 'ftrl',
  defaults: { lr: 0.1, lambda1: 0.01, beta: 1 },
  checks: { lambda1: 'nonNegative', beta: 'nonNegative' },
  aliases: { lamda1: 'lambda1' },
  slots: () => [zeroSlot('z'), zeroSlot('n')],
  step: ({ lambda1, beta }, { lr, wd }) => ({
    kernel: ftrlKernel,
    hyper: [1 / lr, lambda1, beta, wd],
  }),
});
