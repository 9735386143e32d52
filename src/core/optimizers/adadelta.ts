import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `adadelta`. */
export interface AdadeltaOptions extends CommonOptions {
  /** Share of both averages that is kept. */
  readonly rho: number;
  /** Added under both roots. */
  readonly epsilon: number;
}

/** See `adadelta`; `rest` is `1 - rho`. */
export const adadeltaKernel: StepKernel = {
  name: 'adadelta',
  slots: 2,
  whole: false,
  run({ w, g, slots, f }, h) {
    const [s, u] = [slots[0]!, slots[1]!];
    const [lr, rho, rest, epsilon] = rounded<4>(h, f);
    for (let i = 0; i < w.length; i++) {
      s[i] = f(rho * s[i]!) + f(rest * f(g[i]! * g[i]!));
      const roots = f(f(Math.sqrt(f(u[i]! + epsilon))) / f(Math.sqrt(f(s[i]! + epsilon))));
      const d = f(roots * g[i]!);
      u[i] = f(rho * u[i]!) + f(rest * f(d * d));
      w[i] = w[i]! - f(lr * d);
    }
  },
};

/**
 * AdaDelta (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012), as MXNet 2.0's `AdaDelta`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     s = rho * s + (1 - rho) * g^2
 *     d = sqrt(u + epsilon) / sqrt(s + epsilon) * g
 *     u = rho * u + (1 - rho) * d^2
 *     w = w - lr * d
 */
export const adadelta = defineOptimizer<AdadeltaOptions>({
  name: 'adadelta',
  defaults: { lr: 1, rho: 0.9, epsilon: 1e-6 },
  checks: { rho: 'share', epsilon: 'positive' },
  slots: () => [zeroSlot('gradients'), zeroSlot('steps')],
  step: ({ rho, epsilon }, { lr, wd }) => ({
    kernel: adadeltaKernel,
    decay: wd,
    hyper: [lr, rho, 1 - rho, epsilon],
  }),
});
