import type { AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `radam`: those of `adam`. */
export type RadamOptions = AdamOptions;

/** Adam's kernel, divided by `adapt * (sqrt(v) + epsilon) + plain`: one of the two factors is 0, one 1. */
export const radamKernel: StepKernel = {
  name: 'radam',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [m, v] = [slots[0]!, slots[1]!];
    const [lr, beta1, rest1, beta2, rest2, epsilon, adapt, plain] = rounded<8>(h, f);
    for (let i = 0; i < w.length; i++) {
      m[i] = f(beta1 * m[i]!) + f(rest1 * g[i]!);
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const divisor = f(f(adapt * f(f(Math.sqrt(v[i]!)) + epsilon)) + plain);
      w[i] = w[i]! - f(f(lr * m[i]!) / divisor);
    }
  },
};

/**
 * Rectified Adam (Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020). With
 * t the number of the key's update, N = 2 / (1 - beta2) - 1 and n = N - 2 t beta2^t / (1 - beta2^t):
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     w = w - lr * m / (1 - beta1^t)                                                   if n <= 4
 *     w = w - lr * s * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)     otherwise
 *     s = sqrt((n - 4) (n - 2) N / ((N - 4) (N - 2) n))
 */
export const radam = defineOptimizer<RadamOptions>({
  name: 'radam',
  defaults: { lr: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative' },
  slots: () => [zeroSlot('mean'), zeroSlot('variance')],
  step: ({ beta1, beta2, epsilon }, { lr, wd, count }) => {
    const longest = 2 / (1 - beta2) - 1;
    const kept = beta2 ** count;
    const length = longest - (2 * count * kept) / (1 - kept);
    const rectified = length > 4;
    const scale = rectified
      ? Math.sqrt(
          (((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length)) *
            (1 - kept),
        )
      : 1;
    const rate = (lr * scale) / (1 - beta1 ** count);
    const averages = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon];
    return {
      kernel: radamKernel,
      decay: wd,
      hyper: [rate, ...averages, rectified ? 1 : 0, rectified ? 0 : 1],
    };
  },
});
