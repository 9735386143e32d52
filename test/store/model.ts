import type { DType, Updater } from '../../src/index.js';

/** What the store is to do, once more and as plainly as can be: one caller, one key after another. */

export type Rule = 'assign' | 'function' | 'sgd' | 'momentum';

export const rules: readonly Rule[] = ['assign', 'function', 'sgd', 'momentum'];

/** The updater of the rule `function`. */
export const addTwice: Updater = (_, input, stored) => void stored.add_(input, 2);

/** The options of the rules `sgd` and `momentum`. */
export const sgdOptions = { sgd: { lr: 0.1 }, momentum: { lr: 0.1, momentum: 0.9 } } as const;

/** A number as an element of `dtype` holds it. */
function rounding(dtype: DType): (x: number) => number {
  if (dtype === 'float32') return Math.fround;
  return dtype === 'int32' ? (x) => x | 0 : (x) => x;
}

/** One key. */
export class ModelKey {
  stored: number[];
  readonly dtype: DType;
  #momentum: number[];

  constructor(dtype: DType, initial: readonly number[]) {
    this.dtype = dtype;
    this.stored = [...initial];
    this.#momentum = initial.map(() => 0);
  }

  /** One round of `values`, which are added in order. */
  push(values: readonly (readonly number[])[], rule: Rule): void {
    const round = rounding(this.dtype);
    const sum = values.reduce((total, value) => total.map((x, i) => round(x + value[i]!)));
    this.stored = this.stored.map((w, i) => {
      const g = sum[i]!;
      if (rule === 'assign') return g;
      if (rule === 'function') return round(w + 2 * g);
      const step = round(round(0.1) * g);
      if (rule === 'sgd') return round(w - step);
      this.#momentum[i] = round(round(round(0.9) * this.#momentum[i]!) - step);
      return round(w + this.#momentum[i]);
    });
  }

  /** The stored elements as a tensor of `dtype` gets them. */
  pull(dtype: DType): number[] {
    if (dtype !== 'int32') return this.stored.map(rounding(dtype));
    const saturate = (x: number): number => Math.min(Math.max(x, -(2 ** 31)), 2 ** 31 - 1);
    return this.stored.map((x) => (Number.isNaN(x) ? 0 : Math.trunc(saturate(x)) + 0));
  }
}

/** The first index at which the elements differ, or -1. Tells 0 from -0. */
export function firstDifference(actual: ArrayLike<number>, expected: readonly number[]): number {
  if (actual.length !== expected.length) return 0;
  return expected.findIndex((x, i) => !Object.is(x, actual[i]));
}
