import { correctedRate, type AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `adamw`: those of `adam`, and one more. */
export interface AdamwOptions extends AdamOptions {
  /** Whether the averages' bias toward zero is corrected. */
  readonly correctBias: boolean;
}

/** Adam's kernel with `w = w - (lr * m / (sqrt(v) + epsilon) + decay * w)`. */
export const adamwKernel: StepKernel = {
  name: 'adamw',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon, decay] = rounded<7>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const step = f(f(lr * m[i]!) / f(f(Math.sqrt(v[i]!)) + epsilon));
      w[i] = w[i]! - f(step + f(decay * w[i]!));
    }
  },
};

/**
 * AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019): Adam whose weight
 * decay does not pass through the averages, and is not touched by the bias correction:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     w = w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon) - lr * wd * w
 *
 * Defaults are those of MXNet 2.0's `AdamW`, which multiplies the decay by the correction too.
 */
export const adamw = defineOptimizer<AdamwOptions>({
  name: 'adamw',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-6, correctBias: true },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative', correctBias: 'boolean' },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon } = options;
    const rate = options.correctBias ? correctedRate(options, lr, count) : lr;
    return {
      kernel: adamwKernel,
      hyper: [rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon, lr * wd],
    };
  },
});
