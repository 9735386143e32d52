import { correctedRate, type AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `adabelief`: those of `adam`, and one more. */
export interface AdabeliefOptions extends AdamOptions {
  /** Whether the averages' bias toward zero is corrected. */
  readonly correctBias: boolean;
}

/** See `adabelief`; `rest1` and `rest2` are `1 - beta1` and `1 - beta2`. */
export const adabeliefKernel: StepKernel = {
  name: 'adabelief',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, s] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon] = rounded<6>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      const surprise = f(g[i]! - m[i]!);
      s[i] = f(f(beta2 * s[i]!) + f(rest2 * f(surprise * surprise))) + epsilon;
      w[i] = w[i]! - f(f(lr * m[i]!) / f(f(Math.sqrt(s[i]!)) + epsilon));
    }
  },
};

/**
 * AdaBelief (Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed
 * Gradients", 2020), as MXNet 2.0's `AdaBelief`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     s = beta2 * s + (1 - beta2) * (g - m)^2 + epsilon
 *     w = w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(s) + epsilon)
 */
export const adabelief = defineOptimizer<AdabeliefOptions>({
  name: 'adabelief',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-6, correctBias: true },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative', correctBias: 'boolean' },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon } = options;
    const rate = options.correctBias ? correctedRate(options, lr, count) : lr;
    return {
      kernel: adabeliefKernel,
      decay: wd,
      hyper: [rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon],
    };
  },
});
