import { KVStoreError } from '../errors.js';
import { showShape } from '../shape.js';
import { rounded, sumOfSquares, type FloatData, type Round, type StepKernel } from './kernel.js';
import { defineOptimizer, zeroSlot, type CommonOptions } from './optimizer.js';

/** Options of `muon`. */
export interface MuonOptions extends CommonOptions {
  /** Share of the last average that is kept. */
  readonly momentum: number;
  /** Whether the direction looks one step ahead. */
  readonly nesterov: boolean;
  /** Iterations of the orthogonalisation. */
  readonly iterations: number;
}

/** A row-major matrix. */
interface Matrix {
  readonly data: FloatData;
  readonly rows: number;
  readonly columns: number;
}

/** See `muon`. `extra` holds a matrix like `w`, its transpose, its next value, and two squares. */
export const muonKernel: StepKernel = {
  name: 'muon',
  slots: 1,
  whole: true,
  keepsGradient: true,
  extra: ([rows = 0, columns = 0]) => 3 * rows * columns + 2 * Math.min(rows, columns) ** 2,
  run({ w, g, slots, extra, f }, h) {
    const m = slots[0]!;
    const [, momentum, , , decay] = rounded<5>(h, f);
    const [lr, ahead, iterations] = [h[0]!, h[2]!, h[3]!];
    const [rows, columns] = [h[5]!, h[6]!];
    for (let i = 0; i < w.length; i++) {
      m[i] = f(momentum * m[i]!) + g[i]!;
      g[i] = ahead === 0 ? m[i]! : g[i]! + f(momentum * m[i]!);
    }
    // The squares are the smaller when rows are no more than columns.
    const direction = { data: g, rows, columns };
    const flat = rows <= columns;
    const x = flat ? direction : transpose(direction, extra.subarray(0, w.length));
    const norm = Math.sqrt(sumOfSquares(x.data));
    const scale = f(1 / (norm + 1e-7));
    for (let i = 0; i < x.data.length; i++) x.data[i] = x.data[i]! * scale;
    for (let k = 0; k < iterations; k++) iterate(x, extra.subarray(w.length), f);
    const u = flat ? x : transpose(x, g);
    const longer = rows > columns ? Math.sqrt(rows / columns) : 1;
    const rate = f(lr * longer);
    for (let i = 0; i < w.length; i++) w[i] = w[i]! - f(f(rate * u.data[i]!) + f(decay * w[i]!));
  },
};

/** `x = a x + (b s + c s^2) x` with `s = x x^T`, in place. */
function iterate(x: Matrix, extra: FloatData, f: Round): void {
  const [a, b, c] = [f(3.4445), f(-4.775), f(2.0315)];
  const [size, square] = [x.data.length, x.rows * x.rows];
  const turned = transpose(x, extra.subarray(0, size));
  const s = { data: extra.subarray(2 * size, 2 * size + square), rows: x.rows, columns: x.rows };
  const p = { ...s, data: extra.subarray(2 * size + square, 2 * (size + square)) };
  multiply(x, turned, s, f);
  multiply(s, s, p, f);
  for (let i = 0; i < square; i++) p.data[i] = f(b * s.data[i]!) + f(c * p.data[i]!);
  const next = { ...x, data: extra.subarray(size, 2 * size) };
  multiply(p, x, next, f);
  for (let i = 0; i < size; i++) x.data[i] = f(a * x.data[i]!) + next.data[i]!;
}

/** `out = a b`; each element adds its products in ascending order. */
function multiply(a: Matrix, b: Matrix, out: Matrix, f: Round): void {
  out.data.fill(0);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const x = a.data[i * a.columns + k]!;
      for (let j = 0; j < b.columns; j++) {
        const at = i * b.columns + j;
        out.data[at] = out.data[at]! + f(x * b.data[k * b.columns + j]!);
      }
    }
  }
}

function transpose({ data, rows, columns }: Matrix, out: FloatData): Matrix {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  }
  return { data: out, rows: columns, columns: rows };
}

/**
 * Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024), for keys of
 * two dimensions, `unsupported` for others. `orthogonal` takes `iterations` Newton-Schulz steps
 * `x = 3.4445 x - 4.775 (x x^T) x + 2.0315 (x x^T)^2 x` from `u / |u|`:
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient)
 *     m = momentum * m + g
 *     u = g + momentum * m if nesterov, else m
 *     w = w - lr * sqrt(max(1, rows / columns)) * orthogonal(u) - lr * wd * w
 */
export const muon = defineOptimizer<MuonOptions>({
  name: 'muon',
  defaults: { lr: 0.02, momentum: 0.95, nesterov: true, iterations: 5 },
  checks: { momentum: 'share', nesterov: 'boolean', iterations: 'count' },
  slots: (_, shape) => {
    if (shape.length === 2) return [zeroSlot('momentum')];
    const message = `muon expected a key of two dimensions, got shape ${showShape(shape)}`;
    throw new KVStoreError('unsupported', message);
  },
  step: ({ momentum, nesterov, iterations }, { lr, wd, shape }) => ({
    kernel: muonKernel,
    hyper: [lr, momentum, nesterov ? 1 : 0, iterations, lr * wd, shape[0]!, shape[1]!],
  }),
});
