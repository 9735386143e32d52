import type { OptimizerName } from '../../src/core/optimizers/registry.js';

/**
 * The optimizers once more, in double precision, written from their papers and MXNet's descriptions
 * alone: what the store's trajectories are compared with.
 */

/** What a formula knows of one key: anything it likes, by name. */
export interface Memory {
  [name: string]: number[] | number;
}

/** One update of a key. */
export interface Call {
  readonly w: number[];
  /** The sum of the values, nothing else done to it. */
  readonly sum: readonly number[];
  readonly t: number;
  readonly lr: number;
  readonly wd: number;
  readonly rescale: number;
  readonly clip: number;
  readonly shape: readonly number[];
  /** The optimizer's own options. */
  readonly o: Readonly<Record<string, number | boolean | undefined>>;
  readonly memory: Memory;
}

type Formula = (call: Call) => void;

const vector = (memory: Memory, name: string, start: readonly number[]): number[] =>
  (memory[name] ??= [...start]) as number[];
const number = (memory: Memory, name: string, start: number): number =>
  (memory[name] ??= start) as number;
const zerosLike = (w: readonly number[]): number[] => w.map(() => 0);
const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((s, each) => s + each * each, 0));
const rms = (x: readonly number[]): number => norm(x) / Math.sqrt(x.length);
const limit = (x: number, size: number): number => Math.min(Math.max(x, -size), size);

/** Rescaled and clipped. */
const scaled = ({ sum, rescale, clip }: Call): number[] => sum.map((x) => limit(x * rescale, clip));
/** With the decay in the gradient. */
const decayed = (call: Call): number[] => scaled(call).map((x, i) => x + call.wd * call.w[i]!);

/** Adam's averages of `g`; unbiased where `t` is given. */
function averages({ w, o, memory }: Call, g: readonly number[]) {
  const m = vector(memory, 'm', zerosLike(w));
  const v = vector(memory, 'v', zerosLike(w));
  const [b1, b2] = [o['beta1'] as number, o['beta2'] as number];
  g.forEach((x, i) => {
    m[i] = b1 * m[i]! + (1 - b1) * x;
    v[i] = b2 * v[i]! + (1 - b2) * x ** 2;
  });
  return { m, v, b1, b2, eps: o['epsilon'] as number };
}

function momentumStep(call: Call, g: readonly number[], lr: number): void {
  const m = vector(call.memory, 'mom', zerosLike(call.w));
  g.forEach((x, i) => {
    m[i] = (call.o['momentum'] as number) * m[i]! - lr * x;
    call.w[i]! += m[i]!;
  });
}

/** Adam with its epsilon outside of the correction, `tweak` choosing the second average. */
function adamLike(call: Call, g: readonly number[], correct: boolean, max = false): void {
  const { m, v, b1, b2, eps } = averages(call, g);
  const top = vector(call.memory, 'top', zerosLike(call.w));
  const rate = correct ? (call.lr * Math.sqrt(1 - b2 ** call.t)) / (1 - b1 ** call.t) : call.lr;
  m.forEach((mean, i) => {
    top[i] = Math.max(top[i]!, v[i]!);
    call.w[i]! -= (rate * mean) / (Math.sqrt(max ? top[i]! : v[i]!) + eps);
  });
}

function ratio(w: readonly number[], r: readonly number[], o: Call['o']): number {
  const size = Math.min(
    Math.max(norm(w), (o['lowerBound'] as number) ?? 0),
    (o['upperBound'] as number) ?? Infinity,
  );
  return size > 0 && norm(r) > 0 ? size / norm(r) : 1;
}

type Rows = number[][];
const rowsOf = (x: readonly number[], columns: number): Rows =>
  Array.from({ length: x.length / columns }, (_, r) => x.slice(r * columns, (r + 1) * columns));
const product = (a: Rows, b: Rows): Rows =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((s, x, k) => s + x * b[k]![j]!, 0)));
const turned = (a: Rows): Rows => a[0]!.map((_, j) => a.map((row) => row[j]!));
const combined = (x: number, a: Rows, y: number, b: Rows): Rows =>
  a.map((row, i) => row.map((each, j) => x * each + y * b[i]![j]!));

/** Newton-Schulz, on the wide side. */
function orthogonal(u: Rows, iterations: number): Rows {
  if (u.length > u[0]!.length) return turned(orthogonal(turned(u), iterations));
  const size = norm(u.flat()) + 1e-7;
  let x = u.map((row) => row.map((each) => each / size));
  for (let k = 0; k < iterations; k++) {
    const s = product(x, turned(x));
    const polynomial = combined(-4.775, s, 2.0315, product(s, s));
    x = combined(3.4445, x, 1, product(polynomial, x));
  }
  return x;
}

/** By name; `sgld` has no entry, its noise is tested on its own. */
export const formulas: Readonly<Record<Exclude<OptimizerName, 'sgld'>, Formula>> = {
  sgd: (call) => momentumStep(call, decayed(call), call.lr),
  nag(call) {
    const mu = call.o['momentum'] as number;
    const m = vector(call.memory, 'mom', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      m[i] = mu * m[i]! - call.lr * x;
      call.w[i]! += mu * m[i]! - call.lr * x;
    });
  },
  signum(call) {
    const [mu, shrink] = [call.o['momentum'] as number, call.o['wdLh'] as number];
    const m = vector(call.memory, 'mom', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      m[i] = mu * m[i]! - (1 - mu) * x;
      call.w[i] = (1 - call.lr * shrink) * call.w[i]! + call.lr * Math.sign(m[i]!);
    });
  },
  adam: (call) => adamLike(call, decayed(call), true),
  amsgrad: (call) => adamLike(call, decayed(call), true, true),
  adamw(call) {
    const shrunk = call.w.map((x) => call.lr * call.wd * x);
    adamLike(call, scaled(call), call.o['correctBias'] as boolean);
    shrunk.forEach((x, i) => (call.w[i]! -= x));
  },
  adamax(call) {
    const [b1, b2] = [call.o['beta1'] as number, call.o['beta2'] as number];
    const m = vector(call.memory, 'm', zerosLike(call.w));
    const u = vector(call.memory, 'u', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      m[i] = b1 * m[i]! + (1 - b1) * x;
      u[i] = Math.max(b2 * u[i]!, Math.abs(x));
      // Where all gradients were 0 the weight stays.
      call.w[i]! -= ((call.lr / (1 - b1 ** call.t)) * m[i]!) / (u[i]! || 1);
    });
  },
  nadam(call) {
    const g = decayed(call);
    const { m, v, b1, b2, eps } = averages(call, g);
    const mu = (t: number): number =>
      b1 * (1 - 0.5 * 0.96 ** (t * (call.o['scheduleDecay'] as number)));
    const all = number(call.memory, 'product', 1) * mu(call.t);
    call.memory['product'] = all;
    const next = all * mu(call.t + 1);
    g.forEach((x, i) => {
      const step = ((1 - mu(call.t)) * x) / (1 - all) + (mu(call.t + 1) * m[i]!) / (1 - next);
      call.w[i]! -= (call.lr * step) / (Math.sqrt(v[i]! / (1 - b2 ** call.t)) + eps);
    });
  },
  adagrad(call) {
    const s = vector(call.memory, 's', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      s[i]! += x * x;
      call.w[i]! -= (call.lr * x) / (Math.sqrt(s[i]!) + (call.o['epsilon'] as number));
    });
  },
  groupadagrad(call) {
    const columns = call.shape.slice(1).reduce((a, b) => a * b, 1);
    const s = vector(
      call.memory,
      's',
      Array.from({ length: call.shape[0]! }, () => 0),
    );
    rowsOf(scaled(call), columns).forEach((row, r) => {
      s[r]! += row.reduce((sum, x) => sum + x * x, 0) / columns;
      const root = Math.sqrt(s[r]! + (call.o['epsilon'] as number));
      row.forEach((x, c) => (call.w[r * columns + c]! -= (call.lr * x) / root));
    });
  },
  adadelta(call) {
    const [rho, eps] = [call.o['rho'] as number, call.o['epsilon'] as number];
    const s = vector(call.memory, 's', zerosLike(call.w));
    const u = vector(call.memory, 'u', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      s[i] = rho * s[i]! + (1 - rho) * x * x;
      const d = Math.sqrt((u[i]! + eps) / (s[i]! + eps)) * x;
      u[i] = rho * u[i]! + (1 - rho) * d * d;
      call.w[i]! -= call.lr * d;
    });
  },
  rmsprop(call) {
    const { rho, momentum, epsilon } = call.o as Record<string, number>;
    const v = vector(call.memory, 'v', zerosLike(call.w));
    const a = vector(call.memory, 'a', zerosLike(call.w));
    const m = vector(call.memory, 'mom', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      v[i] = rho! * v[i]! + (1 - rho!) * x * x;
      a[i] = rho! * a[i]! + (1 - rho!) * x;
      const spread = Math.sqrt(v[i]! - a[i]! ** 2 + epsilon!);
      m[i] = call.o['centered']
        ? momentum! * m[i]! - (call.lr * x) / spread
        : (-call.lr * x) / (Math.sqrt(v[i]!) + epsilon!);
      const moved = call.w[i]! + m[i]!;
      call.w[i] = limit(moved, (call.o['clipWeights'] as number | undefined) ?? Infinity);
    });
  },
  ftrl(call) {
    const { lambda1, beta } = call.o as Record<string, number>;
    const z = vector(call.memory, 'z', zerosLike(call.w));
    const n = vector(call.memory, 'n', zerosLike(call.w));
    scaled(call).forEach((x, i) => {
      const sigma = (Math.sqrt(n[i]! + x * x) - Math.sqrt(n[i]!)) / call.lr;
      z[i]! += x - sigma * call.w[i]!;
      n[i]! += x * x;
      const over = Math.max(Math.abs(z[i]!) - lambda1!, 0);
      const scale = (beta! + Math.sqrt(n[i]!)) / call.lr + call.wd;
      call.w[i] = (-Math.sign(z[i]!) * over) / scale;
    });
  },
  ftml(call) {
    const { beta1: b1, beta2: b2, epsilon } = call.o as Record<string, number>;
    const d = vector(call.memory, 'd', zerosLike(call.w));
    const v = vector(call.memory, 'v', zerosLike(call.w));
    const z = vector(call.memory, 'z', zerosLike(call.w));
    decayed(call).forEach((x, i) => {
      v[i] = b2! * v[i]! + (1 - b2!) * x * x;
      const root = Math.sqrt(v[i]! / (1 - b2! ** call.t)) + epsilon!;
      const next = ((1 - b1! ** call.t) / call.lr) * root;
      z[i] = b1! * z[i]! + (1 - b1!) * x - (next - b1! * d[i]!) * call.w[i]!;
      d[i] = next;
      call.w[i] = -z[i]! / next;
    });
  },
  dcasgd(call) {
    const { momentum, lambda } = call.o as Record<string, number>;
    const m = vector(call.memory, 'mom', zerosLike(call.w));
    const p = vector(call.memory, 'previous', call.w);
    decayed(call).forEach((x, i) => {
      m[i] = momentum! * m[i]! - call.lr * (x + lambda! * x * x * (call.w[i]! - p[i]!));
      p[i] = call.w[i]!;
      call.w[i]! += m[i]!;
    });
  },
  lamb(call) {
    const { m, v, b1, b2, eps } = averages(call, scaled(call));
    const corrects = call.o['biasCorrection'] as boolean;
    const [c1, c2] = corrects ? [1 - b1 ** call.t, 1 - b2 ** call.t] : [1, 1];
    const r = m.map((x, i) => x / c1 / (Math.sqrt(v[i]! / c2) + eps) + call.wd * call.w[i]!);
    const by = call.lr * ratio(call.w, r, call.o);
    r.forEach((x, i) => (call.w[i]! -= by * x));
  },
  lans(call) {
    const raw = call.sum.map((x) => x * call.rescale);
    const g = raw.map((x) => limit(x / norm(raw), call.clip));
    const { m, v, b1, b2, eps } = averages(call, g);
    const root = v.map((x) => Math.sqrt(x / (1 - b2 ** call.t)) + eps);
    const r = m.map((x, i) => x / (1 - b1 ** call.t) / root[i]! + call.wd * call.w[i]!);
    const q = g.map((x, i) => x / root[i]! + call.wd * call.w[i]!);
    const [byR, byQ] = [ratio(call.w, r, call.o), ratio(call.w, q, call.o)];
    r.forEach((x, i) => (call.w[i]! -= call.lr * (b1 * byR * x + (1 - b1) * byQ * q[i]!)));
  },
  lars(call) {
    const { eta, epsilon } = call.o as Record<string, number>;
    const g = scaled(call);
    const trust = (eta! * norm(call.w)) / (norm(g) + call.wd * norm(call.w) + epsilon!);
    momentumStep(call, decayed(call), call.lr * (norm(g) > 0 && norm(call.w) > 0 ? trust : 1));
  },
  adabelief(call) {
    const { beta1: b1, beta2: b2, epsilon } = call.o as Record<string, number>;
    const m = vector(call.memory, 'm', zerosLike(call.w));
    const s = vector(call.memory, 's', zerosLike(call.w));
    const correction = Math.sqrt(1 - b2! ** call.t) / (1 - b1! ** call.t);
    const rate = call.o['correctBias'] ? call.lr * correction : call.lr;
    decayed(call).forEach((x, i) => {
      m[i] = b1! * m[i]! + (1 - b1!) * x;
      s[i] = b2! * s[i]! + (1 - b2!) * (x - m[i]!) ** 2 + epsilon!;
      call.w[i]! -= (rate * m[i]!) / (Math.sqrt(s[i]!) + epsilon!);
    });
  },
  lion(call) {
    const { beta1: b1, beta2: b2 } = call.o as Record<string, number>;
    const m = vector(call.memory, 'm', zerosLike(call.w));
    scaled(call).forEach((x, i) => {
      const direction = Math.sign(b1! * m[i]! + (1 - b1!) * x);
      call.w[i]! -= call.lr * (direction + call.wd * call.w[i]!);
      m[i] = b2! * m[i]! + (1 - b2!) * x;
    });
  },
  radam(call) {
    const { m, v, b1, b2, eps } = averages(call, decayed(call));
    const most = 2 / (1 - b2) - 1;
    const now = most - (2 * call.t * b2 ** call.t) / (1 - b2 ** call.t);
    const scale = Math.sqrt(((now - 4) * (now - 2) * most) / ((most - 4) * (most - 2) * now));
    m.forEach((x, i) => {
      const mean = x / (1 - b1 ** call.t);
      const spread = (Math.sqrt(v[i]!) + eps) / Math.sqrt(1 - b2 ** call.t);
      call.w[i]! -= now > 4 ? (call.lr * scale * mean) / spread : call.lr * mean;
    });
  },
  adafactor(call) {
    const { decayRate, epsilon1, epsilon2, clipThreshold } = call.o as Record<string, number>;
    const g = scaled(call);
    const kept = 1 - call.t ** -decayRate!;
    const squares = g.map((x) => x * x + epsilon1!);
    let u: number[];
    if (call.shape.length < 2) {
      const v = vector(call.memory, 'v', zerosLike(g));
      u = g.map((x, i) => x / Math.sqrt((v[i] = kept * v[i]! + (1 - kept) * squares[i]!)));
    } else {
      const columns = call.shape.at(-1)!;
      const rows = rowsOf(squares, columns);
      const mean = (x: readonly number[]): number => x.reduce((s, y) => s + y, 0) / x.length;
      const a = vector(call.memory, 'a', zerosLike(rows.map(mean)));
      const b = vector(call.memory, 'b', zerosLike(rows[0]!));
      rows.forEach((row, r) => (a[r] = kept * a[r]! + (1 - kept) * mean(row)));
      turned(rows).forEach((column, c) => (b[c] = kept * b[c]! + (1 - kept) * mean(column)));
      const middle = mean(a);
      u = g.map((x, i) => {
        const spread = (a[Math.floor(i / columns)]! * b[i % columns]!) / middle;
        return x / Math.sqrt(spread);
      });
    }
    const size = call.o['scaleParameter'] ? Math.max(epsilon2!, rms(call.w)) : 1;
    const by = (call.lr * size) / Math.max(1, rms(u) / clipThreshold!);
    u.forEach((x, i) => (call.w[i]! -= by * x + call.lr * call.wd * call.w[i]!));
  },
  muon(call) {
    const mu = call.o['momentum'] as number;
    const [rows, columns] = call.shape as [number, number];
    const m = vector(call.memory, 'm', zerosLike(call.w));
    const u = scaled(call).map((x, i) => {
      m[i] = mu * m[i]! + x;
      return call.o['nesterov'] ? x + mu * m[i]! : m[i]!;
    });
    const flat = orthogonal(rowsOf(u, columns), call.o['iterations'] as number).flat();
    const by = call.lr * Math.sqrt(Math.max(1, rows / columns));
    flat.forEach((x, i) => (call.w[i]! -= by * x + call.lr * call.wd * call.w[i]!));
  },
  schedulefreeadamw(call) {
    const { beta1: b1, beta2: b2, epsilon, warmupSteps } = call.o as Record<string, number>;
    const v = vector(call.memory, 'v', zerosLike(call.w));
    const z = vector(call.memory, 'z', call.w);
    const x = vector(call.memory, 'x', call.w);
    const warm = warmupSteps! > 0 ? Math.min(1, call.t / warmupSteps!) : 1;
    const rate = call.lr * Math.sqrt(1 - b2! ** call.t) * warm;
    const total = number(call.memory, 'total', 0) + rate * rate;
    call.memory['total'] = total;
    const c = (rate * rate) / total;
    scaled(call).forEach((g, i) => {
      v[i] = b2! * v[i]! + (1 - b2!) * g * g;
      z[i]! -= (rate * g) / (Math.sqrt(v[i]!) + epsilon!) + rate * call.wd * call.w[i]!;
      x[i] = (1 - c) * x[i]! + c * z[i]!;
      call.w[i] = (1 - b1!) * z[i]! + b1! * x[i]!;
    });
  },
};
