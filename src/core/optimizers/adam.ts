import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `adam`. */
export interface AdamOptions extends CommonOptions {
  /** Share of the gradient's average that is kept. */
  readonly beta1: number;
  /** Share of the squared gradient's average that is kept. */
  readonly beta2: number;
  /** Added to the root, against division by zero. */
  readonly epsilon: number;
}

/** `m = beta1 * m + rest1 * g`, `v = beta2 * v + rest2 * g * g`, `w = w - lr * m / (sqrt(v) + epsilon)`. */
export const adamKernel: StepKernel = {
  name: 'adam',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon] = rounded<6>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      w[i] = w[i]! - f(f(lr * m[i]!) / f(f(Math.sqrt(v[i]!)) + epsilon));
    }
  },
};

/** Adam's learning rate with the bias corrections of update `count` in it. */
export function correctedRate(
  { beta1, beta2 }: { readonly beta1: number; readonly beta2: number },
  lr: number,
  count: number,
): number {
  return (lr * Math.sqrt(1 - beta2 ** count)) / (1 - beta1 ** count);
}

/**
 * Adam (Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, section 2, the faster form
 * at its end), as MXNet 2.0's `Adam`. With t the number of the key's update:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     w = w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
 */
export const adam = defineOptimizer<AdamOptions>({
  name: 'adam',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative' },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon } = options;
    const rate = correctedRate(options, lr, count);
    return {
      kernel: adamKernel,
      decay: wd,
      hyper: [rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon],
    };
  },
});
