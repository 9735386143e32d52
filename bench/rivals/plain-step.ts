import { hyper } from '../step/problem.js';

/** Elements from `begin` up to `end`. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * Sum and SGD with momentum in plain JavaScript over a range of one tensor, one pass for each input
 * as most people would write it, each operation rounded to float32.
 */
export function plainStep(
  inputs: readonly Float32Array[],
  stored: Float32Array,
  momentum: Float32Array,
  { begin, end }: Range,
): void {
  const sum = inputs[0]!.slice(begin, end);
  for (let k = 1; k < inputs.length; k++) {
    const input = inputs[k]!;
    for (let i = 0; i < sum.length; i++) sum[i]! += input[begin + i]!;
  }
  const lr = Math.fround(hyper.lr);
  const factor = Math.fround(hyper.momentum);
  for (let i = 0; i < sum.length; i++) {
    const kept = Math.fround(factor * momentum[begin + i]!);
    const m = Math.fround(kept - Math.fround(lr * sum[i]!));
    momentum[begin + i] = m;
    stored[begin + i] = stored[begin + i]! + m;
  }
}
