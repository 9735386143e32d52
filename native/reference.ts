import { types } from 'node:util';
import type { AnyTypedArray, DenseArray, FloatArray, SgdHyper } from './types.js';

/**
 * What each kernel means, plainly; `types.ts` has the contracts. Tests compare the addon with these,
 * and they do the work where no addon could be built.
 */

/** How a result becomes an element of `array`: one rounding an operation. */
function roundingOf(array: DenseArray): (x: number) => number {
  if (array instanceof Float32Array) return Math.fround;
  if (array instanceof Int32Array) return (x) => x | 0;
  return (x) => x;
}

/** Sums `inputs` into `out`. */
export function reduceSum(inputs: readonly DenseArray[], out: DenseArray): void {
  const round = roundingOf(out);
  for (let i = 0; i < out.length; i++) {
    let sum = inputs[0]![i]!;
    for (let k = 1; k < inputs.length; k++) sum = round(sum + inputs[k]![i]!);
    out[i] = sum;
  }
}

/** Sums `inputs` and takes one step of SGD on `stored` and `momentum`. */
export function sgdStep(
  inputs: readonly FloatArray[],
  stored: FloatArray,
  momentum: FloatArray | undefined,
  hyper: SgdHyper,
): void {
  const round = roundingOf(stored);
  const lr = round(hyper.lr);
  const momentumFactor = round(hyper.momentum);
  const wd = round(hyper.wd);
  const rescale = round(hyper.rescaleGrad);
  const clip = round(clipOrInfinity(hyper.clipGradient));
  for (let i = 0; i < stored.length; i++) {
    const w = stored[i]!;
    let sum = inputs[0]![i]!;
    for (let k = 1; k < inputs.length; k++) sum = round(sum + inputs[k]![i]!);
    let g = round(sum * rescale);
    if (g < -clip) g = -clip;
    if (g > clip) g = clip;
    if (wd !== 0) g = round(g + round(wd * w));
    const step = round(lr * g);
    if (momentum === undefined) {
      stored[i] = w - step;
    } else {
      const m = round(round(momentumFactor * momentum[i]!) - step);
      momentum[i] = m;
      stored[i] = w + m;
    }
  }
}

/** Clipping to infinity changes nothing, so it stands for "do not clip". */
export function clipOrInfinity(clipGradient: number | undefined): number {
  return clipGradient !== undefined && clipGradient >= 0 ? clipGradient : Infinity;
}

/** Copies `source` to every out. */
export function copy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void {
  // Arrays of one type: `set` then moves bytes, whatever the elements are.
  for (const out of outs) out.set(source as never);
}

/** Converts `source` to the dtype of `out`. */
export function cast(source: DenseArray, out: DenseArray): void {
  if (!(out instanceof Int32Array) || source instanceof Int32Array) {
    out.set(source);
    return;
  }
  for (let i = 0; i < out.length; i++) {
    const x = source[i]!;
    out[i] = Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, -(2 ** 31)), 2 ** 31 - 1));
  }
}

/** Returns views of unshared memory as they are; only the addon can make one of shared memory. */
export function unsharedView<T extends AnyTypedArray>(view: T): T {
  if (types.isSharedArrayBuffer(view.buffer)) {
    throw new Error('unsharedView of shared memory needs the native addon');
  }
  return view;
}
