import { computeDtype, type DType } from '../src/core/dtypes.js';
import { castElements } from '../src/core/elements.js';
import {
  sumOfSquares,
  type FloatData,
  type Round,
  type StepKernel,
} from '../src/core/optimizers/kernel.js';
import { commonHyper, stepKernelNamed } from '../src/core/optimizers/kernels.js';
import type { DenseArray, StepArguments } from './types.js';

/** One step of a rule, as `types.ts` says: what the fused kernels of the addon do tile by tile. */
export function step(rule: string, args: StepArguments): void {
  const kernel = stepKernelNamed(rule);
  if (args.rows === undefined) return stepPart(kernel, args, { from: 0, to: 0 });
  const length = args.inputs[0]!.length / args.rows.length;
  args.rows.forEach((row, i) => {
    stepPart(kernel, args, { from: i * length, to: Number(row) * length, length });
  });
}

/** The sum of the squares of a sum. */
export function squares(inputs: readonly DenseArray[], dtype: DType): number {
  return sumOfSquares(sumInputs(inputs, dtype));
}

/** The sum of `inputs` in the type that steps of `dtype` are computed in. */
function sumInputs(inputs: readonly DenseArray[], dtype: DType): FloatData {
  const compute = computeDtype(dtype);
  const make = (): FloatData =>
    compute === 'float64'
      ? new Float64Array(inputs[0]!.length)
      : new Float32Array(inputs[0]!.length);
  const [sum, other] = [make(), make()];
  castElements(inputs[0]!, dtype, sum, compute);
  for (const input of inputs.slice(1)) {
    castElements(input, dtype, other, compute);
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + other[i]!;
  }
  return sum;
}

/** `length` elements from `from` on in the inputs and from `to` on in the weights. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly length?: number;
}

function stepPart(kernel: StepKernel, args: StepArguments, range: Range): void {
  const { dtype, inputs, stored, master, slots, average, shape } = args;
  const { from, to, length = inputs[0]!.length } = range;
  const compute = computeDtype(dtype);
  const room = (size: number): FloatData =>
    compute === 'float64' ? new Float64Array(size) : new Float32Array(size);
  const f: Round = compute === 'float64' ? (x) => x : Math.fround;
  const inRange = (array: FloatData): FloatData => array.subarray(to, to + length) as FloatData;
  const target = stored.subarray(to, to + length);

  const w = compute === dtype ? (target as FloatData) : master ? inRange(master) : room(length);
  if (compute !== dtype && master === undefined) castElements(target, dtype, w, compute);
  const g = sumInputs(
    inputs.map((input) => input.subarray(from, from + length)),
    dtype,
  );
  prepareGradient(g, w, args.hyper, f);
  const own = Array.from(args.hyper.subarray(commonHyper));
  kernel.run(
    {
      w,
      g,
      slots: kernel.whole ? slots : slots.map(inRange),
      extra: room(kernel.extra?.(shape) ?? 0),
      begin: to,
      f,
    },
    own,
  );
  if (compute !== dtype) castElements(w, compute, target, dtype);
  if (average) updateAverage(inRange(average), w, args.hyper[3]!, f);
}

/** `g = clip(g * rescale) + decay * w`, the decay only if it is not 0: `w = Infinity` is kept. */
function prepareGradient(g: FloatData, w: FloatData, hyper: Float64Array, f: Round): void {
  const [rescale, clip, decay] = [f(hyper[0]!), f(hyper[1]!), f(hyper[2]!)];
  for (let i = 0; i < g.length; i++) {
    let x = f(g[i]! * rescale);
    if (x < -clip) x = -clip;
    if (x > clip) x = clip;
    g[i] = decay === 0 ? x : x + f(decay * w[i]!);
  }
}

function updateAverage(average: FloatData, w: FloatData, share: number, f: Round): void {
  const [kept, rest] = [f(share), f(1 - share)];
  for (let i = 0; i < w.length; i++) average[i] = f(kept * average[i]!) + f(rest * w[i]!);
}
