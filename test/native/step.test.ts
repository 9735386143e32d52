import test from 'ava';
import type { Kernels, StepArguments } from '../../native/kernels.js';
import * as reference from '../../native/reference.js';
import { computeDtype, isHalf, type DType } from '../../src/core/dtypes.js';
import { codecOf } from '../../src/core/elements.js';
import type { FloatData, StepKernel } from '../../src/core/optimizers/kernel.js';
import { scratchLength, stepKernels } from '../../src/core/optimizers/kernels.js';
import { momentOf } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed, optimizerNames } from '../../src/core/optimizers/registry.js';
import { firstDifference, generator, guardedCopy, zeros, type Guarded } from '../helpers/floats.js';
import { compiledKernels, counts, everyKernels, expect, floatTypes } from './support.js';

/** Options under which each optimizer uses each of its kernels. */
const variants: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  sgd: [{}, { momentum: 0.9 }],
  signum: [{}, { momentum: 0 }],
  rmsprop: [{}, { centered: true, clipWeights: 0.7 }],
  groupadagrad: [{ wd: 0 }],
  adamw: [{}, { correctBias: false }],
  lamb: [{}, { lowerBound: 3, upperBound: 4, biasCorrection: false }],
  lans: [{}, { clipGradient: 0.05, upperBound: 2 }],
  muon: [{}, { nesterov: false, iterations: 2 }],
  adafactor: [{}, { scaleParameter: false }],
};

const commons = [{ wd: 0.02 }, { wd: 0, rescaleGrad: 0.25, clipGradient: 0.5, ema: 0.9 }] as const;

interface Case {
  readonly kernel: StepKernel;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly count: number;
  readonly hyper: Float64Array;
  readonly slots: readonly number[];
  readonly master: boolean;
  readonly seed: number;
}

/** Numbers around 1 of `dtype`, between guards. */
function values(length: number, seed: number, dtype: DType, positive = false): Guarded<FloatData> {
  const next = generator(seed);
  const array = zeros(length, dtype);
  for (let i = 0; i < length; i++) {
    const x = next() / 2 ** 31 - 1;
    codecOf(dtype).set(array, i, positive ? Math.abs(x) : next() % 16 === 0 ? 0 : x);
  }
  return guardedCopy(array as never, seed % 4, dtype) as unknown as Guarded<FloatData>;
}

/** The arrays of a case; twice the same for the same seed. */
function argumentsOf({ kernel, dtype, shape, count, hyper, slots, master, seed }: Case) {
  const length = shape.reduce((size, n) => size * n, 1);
  const compute = computeDtype(dtype);
  const guarded = {
    stored: values(length, seed + 1, dtype),
    slots: slots.map((size, k) => values(size, seed + 2 + k, compute, true)),
    master: master ? values(length, seed + 20, compute) : undefined,
    average: hyper[3] === 0 ? undefined : values(length, seed + 21, compute),
  };
  const args: StepArguments = {
    dtype,
    shape,
    inputs: Array.from({ length: count }, (_, k) => values(length, seed + 30 + k, dtype).data),
    stored: guarded.stored.data,
    slots: guarded.slots.map(({ data }) => data),
    master: guarded.master?.data,
    average: guarded.average?.data,
    scratch: zeros(
      scratchLength(kernel, shape, isHalf(dtype) && !master),
      compute as 'float32' | 'float64',
    ),
    hyper,
  };
  const all = [guarded.stored, ...guarded.slots, guarded.master, guarded.average];
  return { args, isIntact: () => all.every((each) => each?.isIntact() ?? true) };
}

/** All compiled kernels give what the reference gives. */
function checkCase(each: Case): void {
  const expected = argumentsOf(each);
  reference.step(each.kernel.name, expected.args);
  for (const kernels of compiledKernels) checkKernels(kernels, each, expected);
}

function checkKernels(
  kernels: Kernels,
  each: Case,
  expected: ReturnType<typeof argumentsOf>,
): void {
  const { cpu } = kernels;
  const actual = argumentsOf(each);
  kernels.step(each.kernel.name, actual.args);
  const what = JSON.stringify({ ...each, cpu, kernel: each.kernel.name, hyper: [...each.hyper] });
  const same = (name: 'stored' | 'master' | 'average', dtype: DType): void => {
    const [a, b] = [actual.args[name], expected.args[name]];
    if (a === undefined || b === undefined) return;
    const at = firstDifference(a, b, dtype);
    expect(at === -1, what, name, `element ${at}: ${a[at]}, not ${b[at]}`);
  };
  same('stored', each.dtype);
  same('master', computeDtype(each.dtype));
  same('average', computeDtype(each.dtype));
  actual.args.slots.forEach((slot, k) => {
    expect(firstDifference(slot, expected.args.slots[k]!) === -1, what, `slot ${k}`);
  });
  actual.args.inputs.forEach((input, k) => {
    const before = expected.args.inputs[k]!;
    expect(firstDifference(input, before, each.dtype) === -1, what, `input ${k} was changed`);
  });
  expect(actual.isIntact(), what, 'bytes outside');
}

/** Every way to use the kernels of an optimizer on a tensor of `shape`. */
function casesOf(name: string, shape: readonly number[], rest: Partial<Case>): Case[] {
  const optimizer = optimizerNamed(name);
  const own = variants[name] ?? [{}];
  return own.flatMap((options) =>
    commons.map((common): Case => {
      const resolved = optimizer.resolve({ lr: 0.1, ...common, ...options });
      const moment = { key: 'w', shape, count: 4, counters: optimizer.counters };
      const step = optimizer.step(resolved, momentOf(resolved, moment));
      const clip = step.clipsItself ? Infinity : (resolved.clipGradient ?? Infinity);
      const head = [resolved.rescaleGrad, clip, step.decay ?? 0, resolved.ema ?? 0];
      return {
        kernel: step.kernel,
        dtype: 'float32',
        shape,
        count: 3,
        hyper: Float64Array.of(...head, ...step.hyper),
        slots: optimizer
          .slots(resolved, shape)
          .map((slot) => (slot.shape ?? shape).reduce((size, n) => size * n, 1)),
        master: false,
        seed: shape.length * 1000 + (shape[0] ?? 0),
        ...rest,
      };
    }),
  );
}

const vectors = [[0], [1], [7], [16], [33], [511], [512], [513], [1025], [2049]];
const matrices = [
  [0, 3],
  [1, 5],
  [7, 1],
  [9, 20],
  [31, 17],
  [3, 400],
  [130, 9],
];

if (compiledKernels.length > 0) {
  for (const name of optimizerNames) {
    test(`O: ${name} takes the steps of its reference`, (t) => {
      const shapes = name === 'muon' ? matrices : [...vectors, ...matrices];
      for (const dtype of floatTypes) {
        for (const shape of shapes) {
          const halves = dtype.endsWith('16') ? [false, true] : [false];
          for (const master of halves) {
            for (const each of casesOf(name, shape, { dtype, master })) checkCase(each);
          }
        }
      }
      t.pass();
    });
  }

  test('O: a step sums any number of inputs', (t) => {
    for (const name of ['sgd', 'adam', 'lamb', 'lars']) {
      for (const dtype of floatTypes) {
        for (const count of counts) {
          for (const each of casesOf(name, [613], { dtype, count })) checkCase(each);
        }
      }
    }
    t.pass();
  });
}

for (const kernels of everyKernels) {
  test(`O: a step may take the stored tensor as an input: ${kernels.cpu}`, (t) => {
    for (const count of [1, 3, 9]) {
      const [each] = casesOf('adam', [700], { count }) as [Case];
      const results = [reference, kernels].map(({ step }) => {
        const { args } = argumentsOf(each);
        const before = args.stored.slice();
        const inputs = [...args.inputs, args === undefined ? before : args.stored];
        step('adam', { ...args, inputs });
        return args.stored;
      });
      t.is(firstDifference(results[0]!, results[1]!), -1);
    }
  });

  test(`O: a step of rows changes these rows alone: ${kernels.cpu}`, (t) => {
    for (const { name } of stepKernels.filter(({ whole }) => !whole)) {
      for (const dtype of floatTypes) {
        for (const rowLength of [1, 33, 512, 700]) checkRows(kernels, name, { dtype, rowLength });
      }
    }
    t.pass();
  });

  test(`O: step refuses what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const args: StepArguments = {
      dtype: 'float32',
      shape: [4],
      inputs: [new Float32Array(4)],
      stored: new Float32Array(4),
      slots: [new Float32Array(4), new Float32Array(4)],
      hyper: new Float64Array(10),
    };
    const refuses = (change: Partial<StepArguments>, message: RegExp, rule = 'adam'): void => {
      t.throws(() => kernels.step(rule, { ...args, ...change }), { message });
    };
    refuses({}, /no update rule/, 'adamm');
    refuses({ inputs: [] }, /at least one input/);
    refuses({ inputs: [new Float32Array(5)] }, /one length/);
    refuses({ inputs: [new Float64Array(4)] }, /one type/);
    refuses({ shape: [5] }, /size of its shape/);
    refuses({ dtype: 'int32' }, /no update rules for this dtype/);
    refuses({ dtype: 'float64' }, /not of this dtype/);
    refuses({ slots: [new Float32Array(4)] }, /as many slots/);
    refuses({ slots: [new Float32Array(4), new Float64Array(4)] }, /computed type/);
    refuses({ slots: [new Float32Array(4), new Float32Array(3)] }, /one length/);
    refuses({ slots: [args.slots[0]!, args.slots[0]!] }, /must not overlap/);
    refuses({ slots: [args.slots[0]!, args.stored as Float32Array] }, /must not overlap/);
    refuses({ average: new Float32Array(3) }, /one length/);
    refuses({ master: new Float32Array(4) }, /only half types/);
    refuses({ hyper: new Float64Array(2) }, /common hyper/);
    const lars = { slots: [new Float32Array(4)] };
    refuses(lars, /enough scratch/, 'lars');
    const rows = { shape: [4, 1], rows: BigInt64Array.of(0n, 4n), inputs: [new Float32Array(2)] };
    refuses(rows, /rows of the tensor/);
    refuses({ ...rows, rows: BigInt64Array.of(1n) }, /hold the rows/);
    refuses({ ...rows, rows: BigInt64Array.of(-1n, 1n) }, /rows of the tensor/);
  });
}

/** The step of some rows is that of a whole tensor of these rows, and the others stay. */
function checkRows(
  kernels: Kernels,
  rule: string,
  { dtype, rowLength }: { readonly dtype: DType; readonly rowLength: number },
): void {
  const kernel = stepKernels.find(({ name }) => name === rule)!;
  const ids = [0, 3, 4, 9, 11];
  const rows = 12;
  const each: Case = {
    kernel,
    dtype,
    shape: [rows, rowLength],
    count: 1,
    hyper: Float64Array.of(
      0.5,
      1,
      0.01,
      0.9,
      ...Array.from({ length: 12 }, (_, i) => 0.1 + i / 40),
    ),
    slots: Array.from({ length: kernel.slots }, () => rows * rowLength),
    master: false,
    seed: 99,
  };
  const part = { ...each, shape: [ids.length, rowLength] };
  const gradient = values(ids.length * rowLength, 5, dtype).data;
  const sparse = argumentsOf(each).args;
  const before = argumentsOf(each).args;
  const index = BigInt64Array.from(ids, BigInt);
  // Noise goes by the position in the tensor, so the part is not told from the whole.
  if (rule === 'sgld') {
    const again = argumentsOf(each).args;
    reference.step(rule, { ...again, inputs: [gradient], rows: index });
    kernels.step(rule, { ...sparse, inputs: [gradient], rows: index });
    expect(firstDifference(sparse.stored, again.stored, dtype) === -1, rule, dtype);
    return;
  }
  const gather = <T extends { subarray(a: number, b: number): T }>(from: T, to: T): void =>
    ids.forEach((id, i) => {
      const row = from.subarray(id * rowLength, (id + 1) * rowLength);
      (to as never as { set(x: T, at: number): void }).set(row, i * rowLength);
    });
  const dense = argumentsOf({ ...part, slots: part.slots.map(() => ids.length * rowLength) }).args;
  const pairs = (args: StepArguments) => [args.stored, args.average!, ...args.slots] as FloatData[];
  pairs(before).forEach((from, k) => gather(from as Float32Array, pairs(dense)[k] as Float32Array));
  reference.step(rule, { ...dense, inputs: [gradient] });
  kernels.step(rule, { ...sparse, inputs: [gradient], rows: index });
  pairs(sparse).forEach((whole, k) => {
    const type = k === 0 ? dtype : computeDtype(dtype);
    for (let row = 0; row < rows; row++) {
      const at = ids.indexOf(row);
      const actual = whole.subarray(row * rowLength, (row + 1) * rowLength);
      const expected =
        at < 0
          ? pairs(before)[k]!.subarray(row * rowLength, (row + 1) * rowLength)
          : pairs(dense)[k]!.subarray(at * rowLength, (at + 1) * rowLength);
      expect(firstDifference(actual, expected, type) === -1, rule, dtype, `row ${row}, array ${k}`);
    }
  });
}
