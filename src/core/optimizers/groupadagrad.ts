import { KVStoreError, show } from '../errors.js';
import { sizeOf } from '../shape.js';
import { rounded, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `groupadagrad`. */
export interface GroupAdagradOptions extends CommonOptions {
  /** Added under the root, against division by zero. */
  readonly epsilon: number;
}

/** Per row: `s = s + mean(g * g)`, `w = w - lr * g / sqrt(s + epsilon)`. */
export const groupAdagradKernel: StepKernel = {
  name: 'groupAdagrad',
  slots: 1,
  whole: true,
  keepsGradient: true,
  run({ w, g, slots, f }, h) {
    const s = slots[0]!;
    const [lr, epsilon] = rounded<2>(h, f);
    const rowLength = h[2]!;
    for (let row = 0; row < s.length; row++) {
      const begin = row * rowLength;
      let sum = 0;
      for (let i = begin; i < begin + rowLength; i++) sum += g[i]! * g[i]!;
      s[row] = s[row]! + f(sum / rowLength);
      const root = f(Math.sqrt(f(s[row]! + epsilon)));
      for (let i = begin; i < begin + rowLength; i++) w[i] = w[i]! - f(f(lr * g[i]!) / root);
    }
  },
};

/**
 * AdaGrad with one history per row (the first dimension), as MXNet 2.0's `GroupAdaGrad`; it has no
 * weight decay. The mean is taken in double precision:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     s = s + mean of g^2 over the row
 *     w = w - lr * g / sqrt(s + epsilon)
 */
export const groupadagrad = defineOptimizer<GroupAdagradOptions>({
  name: 'groupadagrad',
  defaults: { lr: 0.01, epsilon: 1e-5 },
  checks: { epsilon: 'nonNegative' },
  check: ({ wd }) => {
    if (wd === 0) return;
    const message = `groupadagrad expected wd to be 0, as it has no weight decay, got ${show(wd)}`;
    throw new KVStoreError('bad_optimizer', message);
  },
  slots: (_, shape) => [zeroSlot('history', [shape[0] ?? 1])],
  step: ({ epsilon }, { lr, shape }) => ({
    kernel: groupAdagradKernel,
    hyper: [lr, epsilon, sizeOf(shape.slice(1))],
  }),
});
