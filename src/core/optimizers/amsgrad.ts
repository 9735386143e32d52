import { correctedRate, type AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `amsgrad`: those of `adam`. */
export type AmsgradOptions = AdamOptions;

/** Adam's kernel with `x = max(x, v)` in the place of `v` under the root. */
export const amsgradKernel: StepKernel = {
  name: 'amsgrad',
  slots: 3,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, v, x] = [slots[0]!, slots[1]!, slots[2]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon] = rounded<6>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      if (!(v[i]! <= x[i]!)) x[i] = v[i]!;
      w[i] = w[i]! - f(f(lr * m[i]!) / f(f(Math.sqrt(x[i]!)) + epsilon));
    }
  },
};

/**
 * AMSGrad (Reddi, Kale & Kumar, "On the Convergence of Adam and Beyond", 2018), with Adam's bias
 * corrections:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     x = max(x, v)
 *     w = w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(x) + epsilon)
 */
export const amsgrad = defineOptimizer<AmsgradOptions>({
  name: 'amsgrad',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative' },
  slots: () => [zeroSlot('mean'), zeroSlot('variance'), zeroSlot('maximum')],
  step: (options, { lr, wd, count }) => {
    const { beta1, beta2, epsilon } = options;
    const rate = correctedRate(options, lr, count);
    return {
      kernel: amsgradKernel,
      decay: wd,
      hyper: [rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon],
    };
  },
});
