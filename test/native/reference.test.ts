import test from 'ava';
import * as reference from '../../native/reference.js';
import type { FloatData } from '../../src/core/optimizers/kernel.js';

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

/** One step of plain SGD with rate 0.5; `common` is rescale, clip, decay. */
function sgdStep(
  stored: FloatData,
  input: FloatData,
  common: readonly number[] = [1, Infinity, 0],
) {
  const dtype = stored instanceof Float64Array ? 'float64' : 'float32';
  const hyper = Float64Array.of(...common, 0, 0.5);
  const shape = [stored.length];
  reference.step('sgd', { dtype, shape, inputs: [input], stored, slots: [], hyper });
}

test('a step rescales the sum, clips, and then adds the weight decay', (t) => {
  const stored = Float64Array.of(8, 8, 8, 8);
  sgdStep(stored, Float64Array.of(400, -400, NaN, 2), [0.25, 1, 0.25]);
  t.deepEqual([...stored], [8 - 0.5 * (1 + 2), 8 - 0.5 * (-1 + 2), NaN, 8 - 0.5 * (0.5 + 2)]);
});

test('a step leaves an infinite weight alone where there is no weight decay', (t) => {
  const stored = Float32Array.of(Infinity);
  sgdStep(stored, Float32Array.of(1));
  t.is(stored[0], Infinity);
});

test('a step rounds each operation and each hyper-parameter to the type of the arrays', (t) => {
  const stored = Float32Array.of(0);
  sgdStep(stored, Float32Array.of(3), [0.1, Infinity, 0]);
  t.is(stored[0], -0.5 * Math.fround(Math.fround(0.1) * 3));
});

test('the moving average follows the updated weights', (t) => {
  const [stored, average] = [Float64Array.of(8), Float64Array.of(4)];
  reference.step('sgd', {
    dtype: 'float64',
    shape: [1],
    inputs: [Float64Array.of(4)],
    stored,
    slots: [],
    average,
    hyper: Float64Array.of(1, Infinity, 0, 0.75, 0.5),
  });
  t.is(stored[0], 6);
  t.is(average[0], 0.75 * 4 + 0.25 * 6);
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
