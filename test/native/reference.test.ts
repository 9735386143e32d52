import test from 'ava';
import * as reference from '../../native/reference.js';
import type { SgdHyper } from '../../native/kernels.js';

const plain: SgdHyper = {
  lr: 0.5,
  momentum: 0,
  wd: 0,
  rescaleGrad: 1,
  clipGradient: undefined,
};

test('reduceSum rounds each addition to the type of the arrays', (t) => {
  // 2 ** 24 + 1 is no float32: each of the two ones is lost, which one rounding would not do.
  const singles = new Float32Array(1);
  reference.reduceSum([Float32Array.of(2 ** 24), Float32Array.of(1), Float32Array.of(1)], singles);
  t.is(singles[0], 2 ** 24);

  const doubles = new Float64Array(1);
  reference.reduceSum([Float64Array.of(2 ** 24), Float64Array.of(1), Float64Array.of(1)], doubles);
  t.is(doubles[0], 2 ** 24 + 2);
});

test('reduceSum adds in list order', (t) => {
  const out = new Float64Array(1);
  reference.reduceSum([Float64Array.of(1e16), Float64Array.of(-1e16), Float64Array.of(1)], out);
  t.is(out[0], 1);
  reference.reduceSum([Float64Array.of(1), Float64Array.of(1e16), Float64Array.of(-1e16)], out);
  t.is(out[0], 0);
});

test('reduceSum of int32 wraps around', (t) => {
  const out = new Int32Array(2);
  reference.reduceSum([Int32Array.of(2 ** 31 - 1, -(2 ** 31)), Int32Array.of(1, -1)], out);
  t.deepEqual([...out], [-(2 ** 31), 2 ** 31 - 1]);
});

test('sgdStep without momentum subtracts lr times the rescaled sum', (t) => {
  const stored = Float64Array.of(10);
  const inputs = [Float64Array.of(3), Float64Array.of(5)];
  reference.sgdStep(inputs, stored, undefined, { ...plain, rescaleGrad: 0.25 });
  t.is(stored[0], 10 - 0.5 * 2);
});

test('sgdStep with momentum adds the new momentum to the stored tensor', (t) => {
  const stored = Float64Array.of(10);
  const momentum = Float64Array.of(4);
  reference.sgdStep([Float64Array.of(2)], stored, momentum, { ...plain, momentum: 0.75 });
  t.is(momentum[0], 0.75 * 4 - 0.5 * 2);
  t.is(stored[0], 10 + 2);
});

test('sgdStep clips before it adds the weight decay', (t) => {
  const stored = Float64Array.of(8, 8, 8);
  const hyper = { ...plain, wd: 0.25, clipGradient: 1 };
  reference.sgdStep([Float64Array.of(100, -100, NaN)], stored, undefined, hyper);
  t.deepEqual([...stored], [8 - 0.5 * (1 + 2), 8 - 0.5 * (-1 + 2), NaN]);
});

test('sgdStep clips at 0 but not at undefined, a negative number or NaN', (t) => {
  for (const [clipGradient, expected] of [
    [0, 0],
    [undefined, -50],
    [-1, -50],
    [NaN, -50],
  ] as const) {
    const stored = Float64Array.of(0);
    reference.sgdStep([Float64Array.of(100)], stored, undefined, { ...plain, clipGradient });
    t.is(stored[0], expected, `clipGradient ${clipGradient}`);
  }
});

test('sgdStep leaves an infinite weight alone where there is no weight decay', (t) => {
  const stored = Float32Array.of(Infinity);
  reference.sgdStep([Float32Array.of(1)], stored, undefined, plain);
  t.is(stored[0], Infinity);
});

test('sgdStep rounds the hyper-parameters to the type of the arrays', (t) => {
  const stored = Float32Array.of(0);
  reference.sgdStep([Float32Array.of(3)], stored, undefined, { ...plain, lr: 0.1 });
  t.is(stored[0], -Math.fround(Math.fround(0.1) * 3));
});

test('cast of floats to int32 truncates toward zero and saturates, NaN becomes 0', (t) => {
  const source = Float64Array.of(1.9, -1.9, -0.5, 2 ** 31, 1e300, -(2 ** 31) - 1, -Infinity, NaN);
  const out = new Int32Array(source.length);
  reference.cast(source, out);
  const [largest, smallest] = [2 ** 31 - 1, -(2 ** 31)];
  t.deepEqual([...out], [1, -1, 0, largest, largest, smallest, smallest, 0]);
});

test('cast of float64 to float32 rounds to nearest, ties to even', (t) => {
  const source = Float64Array.of(2 ** 24 + 1, 2 ** 24 + 3, 1e39);
  const out = new Float32Array(source.length);
  reference.cast(source, out);
  t.deepEqual([...out], [2 ** 24, 2 ** 24 + 4, Infinity]);
});
