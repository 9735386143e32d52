import type { AdamOptions } from './adam.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot } from './optimizer.js';

/** Options of `schedulefreeadamw`: those of `adam`, and one more. */
export interface ScheduleFreeAdamwOptions extends AdamOptions {
  /** Updates over which the learning rate rises from 0. */
  readonly warmupSteps: number;
}

/** See `schedulefreeadamw`; `share` is c, `ahead` is `beta1`, `behind` is `1 - beta1`. */
export const scheduleFreeAdamwKernel: StepKernel = {
  name: 'scheduleFreeAdamw',
  slots: 3,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [v, z, x] = [slots[0]!, slots[1]!, slots[2]!];
    const [lr, ahead, behind, beta2, rest2, epsilon, decay, share, kept] = rounded<9>(h, f);
    for (let i = 0; i < w.length; i++) {
      v[i] = f(beta2 * v[i]!) + f(rest2 * f(g[i]! * g[i]!));
      const step = f(f(lr * g[i]!) / f(f(Math.sqrt(v[i]!)) + epsilon));
      z[i] = z[i]! - f(step + f(decay * w[i]!));
      x[i] = f(kept * x[i]!) + f(share * z[i]!);
      w[i] = f(behind * z[i]!) + f(ahead * x[i]!);
    }
  },
};

/**
 * Schedule-free AdamW (Defazio et al., "The Road Less Scheduled", 2024, algorithm 1). The stored
 * weights y are those to train with; those to evaluate with are the average x, which
 * `pull(key, { average: true })` gives. With t the number of the key's update:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     v = beta2 * v + (1 - beta2) * g^2
 *     rate = lr * sqrt(1 - beta2^t) * min(1, t / warmupSteps)
 *     z = z - rate * g / (sqrt(v) + epsilon) - rate * wd * y
 *     c = rate^2 / (sum of rate^2 so far)
 *     x = (1 - c) * x + c * z
 *     y = (1 - beta1) * z + beta1 * x
 */
export const schedulefreeadamw = defineOptimizer<ScheduleFreeAdamwOptions>({
  name: 'schedulefreeadamw',
  defaults: { lr: 0.0025, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, warmupSteps: 0 },
  checks: { beta1: 'share', beta2: 'share', epsilon: 'nonNegative', warmupSteps: 'count' },
  counters: { squaredRates: 0 },
  average: 'average',
  slots: () => [
    zeroSlot('variance'),
    { name: 'base', init: 'weights' },
    { name: 'average', init: 'weights' },
  ],
  step: ({ beta1, beta2, epsilon, warmupSteps }, { lr, wd, count, counters }) => {
    const warm = count < warmupSteps ? count / warmupSteps : 1;
    const rate = lr * Math.sqrt(1 - beta2 ** count) * warm;
    const squaredRates = counters['squaredRates']! + rate * rate;
    const share = squaredRates === 0 ? 0 : (rate * rate) / squaredRates;
    return {
      kernel: scheduleFreeAdamwKernel,
      hyper: [rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon, rate * wd, share, 1 - share],
      counters: { squaredRates },
    };
  },
});
