import { sizeOf, type Shape } from '../shape.js';
import { rounded, sumOfSquares, type StepArrays, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `adafactor`. */
export interface AdafactorOptions extends CommonOptions {
  /** Exponent of the decay: update t keeps the share `1 - t^-decayRate` of the averages. */
  readonly decayRate: number;
  /** Added to the squared gradient. */
  readonly epsilon1: number;
  /** Lower limit of the weights' root mean square. */
  readonly epsilon2: number;
  /** Upper limit of the step's root mean square, before the learning rate. */
  readonly clipThreshold: number;
  /** Whether the step is scaled by the weights' root mean square. */
  readonly scaleParameter: boolean;
}

/** `v = beta * v + rest * (g * g + epsilon1)`, then the step along `g / sqrt(v)`. */
export const adafactorVectorKernel: StepKernel = {
  name: 'adafactorVector',
  slots: 1,
  whole: true,
  keepsGradient: true,
  run(arrays, h) {
    const { g, slots, f } = arrays;
    if (g.length === 0) return;
    const v = slots[0]!;
    const [, beta, rest, epsilon1] = rounded<4>(h, f);
    for (let i = 0; i < g.length; i++) {
      v[i] = f(beta * v[i]!) + f(rest * f(f(g[i]! * g[i]!) + epsilon1));
      g[i] = g[i]! / f(Math.sqrt(v[i]!));
    }
    takeStep(arrays, h);
  },
};

/**
 * The same with `v` as the outer product of the averages over rows (`a`) and over columns (`b`), whose
 * means are taken in double precision; `extra` holds the columns' sums.
 */
export const adafactorMatrixKernel: StepKernel = {
  name: 'adafactorMatrix',
  slots: 2,
  whole: true,
  keepsGradient: true,
  // As doubles: twice the elements where they are float32.
  extra: (shape) => 2 * shape[shape.length - 1]!,
  run(arrays, h) {
    const { g, slots, f } = arrays;
    if (g.length === 0) return;
    const [a, b] = [slots[0]!, slots[1]!];
    const [, beta, rest, epsilon1] = rounded<4>(h, f);
    const [rows, columns] = [a.length, b.length];
    const sums = new Float64Array(columns);
    let total = 0;
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) {
        const square = f(f(g[r * columns + c]! * g[r * columns + c]!) + epsilon1);
        sum += square;
        sums[c]! += square;
      }
      a[r] = f(beta * a[r]!) + f(rest * f(sum / columns));
      total += a[r]!;
    }
    for (let c = 0; c < columns; c++) b[c] = f(beta * b[c]!) + f(rest * f(sums[c]! / rows));
    const mean = f(total / rows);
    for (let r = 0; r < rows; r++) {
      const share = f(a[r]! / mean);
      for (let c = 0; c < columns; c++) {
        g[r * columns + c] = g[r * columns + c]! / f(Math.sqrt(f(share * b[c]!)));
      }
    }
    takeStep(arrays, h);
  },
};

/** `w = w - (rate * g / max(1, rms(g) / clipThreshold) + decay * w)`, `g` being the direction. */
function takeStep({ w, g, f }: StepArrays, h: readonly number[]): void {
  const [lr, epsilon2, clipThreshold, scales] = [h[0]!, h[4]!, h[5]!, h[6]!];
  const decay = f(h[7]!);
  const direction = Math.sqrt(sumOfSquares(g) / g.length) / clipThreshold;
  const weights = Math.sqrt(sumOfSquares(w) / w.length);
  const scale = scales === 0 ? 1 : weights > epsilon2 ? weights : epsilon2;
  const rate = f((lr * scale) / (direction > 1 ? direction : 1));
  for (let i = 0; i < w.length; i++) w[i] = w[i]! - f(f(rate * g[i]!) + f(decay * w[i]!));
}

/**
 * Adafactor without momentum (Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear
 * Memory Cost", 2018, algorithms 4 and 5). A tensor of two dimensions or more is a matrix whose
 * columns are its last dimension. With t the number of the key's update and beta = 1 - t^-decayRate:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     a = beta * a + (1 - beta) * mean over columns of (g^2 + epsilon1)
 *     b = beta * b + (1 - beta) * mean over rows of (g^2 + epsilon1)
 *     u = g / sqrt(a b / mean(a))             with one dimension g / sqrt(the average of g^2)
 *     u = u / max(1, rms(u) / clipThreshold)
 *     w = w - lr * max(epsilon2, rms(w)) * u - lr * wd * w
 */
export const adafactor = defineOptimizer<AdafactorOptions>({
  name: 'adafactor',
  defaults: {
    lr: 0.01,
    decayRate: 0.8,
    epsilon1: 1e-30,
    epsilon2: 1e-3,
    clipThreshold: 1,
    scaleParameter: true,
  },
  checks: {
    decayRate: 'positive',
    epsilon1: 'positive',
    epsilon2: 'nonNegative',
    clipThreshold: 'positive',
    scaleParameter: 'boolean',
  },
  slots: (_, shape) =>
    isMatrix(shape)
      ? [zeroSlot('rows', [sizeOf(shape.slice(0, -1))]), zeroSlot('columns', shape.slice(-1))]
      : [zeroSlot('variance')],
  step: (options, { lr, wd, count, shape }) => {
    const kept = 1 - count ** -options.decayRate;
    const scales = options.scaleParameter ? 1 : 0;
    return {
      kernel: isMatrix(shape) ? adafactorMatrixKernel : adafactorVectorKernel,
      hyper: [
        lr,
        kept,
        1 - kept,
        options.epsilon1,
        options.epsilon2,
        options.clipThreshold,
        scales,
        lr * wd,
        ...(isMatrix(shape) ? [sizeOf(shape.slice(0, -1)), shape[shape.length - 1]!] : []),
      ],
    };
  },
});

function isMatrix(shape: Shape): boolean {
  return shape.length >= 2;
}
