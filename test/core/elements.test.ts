import test from 'ava';
import { dtypes, type DType, type TensorData } from '../../src/core/dtypes.js';
import { castElements, codecOf, copyElements } from '../../src/core/elements.js';
import { full, tensor, zeros } from '../../src/index.js';
import { firstDifference, zeros as array } from '../helpers/floats.js';
import { halfFormats, magnitudes, nearestHalf } from '../helpers/halves.js';
import { randomTest } from '../helpers/random-test.js';

const names = dtypes.map(({ name }) => name);

/** The lowest and highest number of each integer dtype. */
const ranges = {
  int8: [-128n, 127n],
  uint8: [0n, 255n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;
const integerTypes = Object.keys(ranges) as (keyof typeof ranges)[];

/** `x` as an element of an integer dtype, worked out in bigints. */
function asInteger(x: number, dtype: keyof typeof ranges): bigint {
  const [low, high] = ranges[dtype];
  if (Number.isNaN(x)) return 0n;
  if (!Number.isFinite(x)) return x < 0 ? low : high;
  const whole = BigInt(Math.trunc(x));
  return whole < low ? low : whole > high ? high : whole;
}

/** One element of `dtype` that was set to `x`, as its array holds it. */
function stored(dtype: DType, x: number): number | bigint {
  const data: TensorData = array(1, dtype);
  codecOf(dtype).set(data, 0, x);
  return data[0]!;
}

const edges = [
  ...[0, -0, 0.5, -0.5, 0.9999999999999999, -0.9999999999999999, 1.5, -1.5, 5e-324],
  ...[126.9, 127, 127.5, 128, -127.9, -128, -128.5, -129, 254.9, 255, 255.5, 256, -1],
  ...[2 ** 31 - 1, 2 ** 31 - 0.5, 2 ** 31, -(2 ** 31), -(2 ** 31) - 0.5, -(2 ** 31) - 1],
  ...[2 ** 53, 2 ** 53 + 2, -(2 ** 53) - 2, 2 ** 62, 2 ** 63 - 1024, 2 ** 63, 2 ** 64],
  ...[-(2 ** 63), -(2 ** 63) - 2048, 1e19, -1e19, 1e300, -1e300],
  ...[Infinity, -Infinity, NaN, Number.MAX_VALUE],
];

for (const dtype of integerTypes) {
  test(`V2: numbers become ${dtype} toward zero and saturated, NaN becomes 0`, (t) => {
    for (const x of edges) t.is(BigInt(stored(dtype, x)), asInteger(x, dtype), `${x}`);
  });

  test(`V2: a cast of every float dtype to ${dtype} truncates and saturates`, (t) => {
    for (const from of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
      const source = array(edges.length, from);
      edges.forEach((x, i) => codecOf(from).set(source, i, x));
      const out: TensorData = array(edges.length, dtype);
      castElements(source, from, out, dtype);
      for (const i of edges.keys()) {
        t.is(
          BigInt(out[i]!),
          asInteger(codecOf(from).get(source, i), dtype),
          `${from} ${edges[i]}`,
        );
      }
    }
  });

  test(`V2: a cast of every integer dtype to ${dtype} saturates`, (t) => {
    const [low, high] = ranges[dtype];
    for (const from of integerTypes) {
      const ends = ranges[from];
      const source = tensor([...ends, 0n, 1n], { dtype: 'int64' }).astype(from).data;
      const out: TensorData = array(4, dtype);
      castElements(source, from, out, dtype);
      const held = ends.map((end) => (end < low ? low : end > high ? high : end));
      t.deepEqual(Array.from<number | bigint, bigint>(out, BigInt), [...held, 0n, 1n], from);
    }
  });
}

test('V2: int8 and uint8 read back every number that they hold', (t) => {
  for (const dtype of ['int8', 'uint8'] as const) {
    const [low, high] = ranges[dtype].map(Number) as [number, number];
    for (let x = low; x <= high; x++) t.is(stored(dtype, x), x);
  }
});

test('V2: float64 keeps every bit, float32 rounds once to the nearest', (t) => {
  for (const x of [...edges, 0.1, 1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -52, 3.4028235677973366e38]) {
    t.is(stored('float64', x), x);
    t.is(stored('float32', x), Math.fround(x));
  }
});

test('V2: int64 is read as the nearest number and held exactly', (t) => {
  const exact = [2n ** 53n - 1n, 2n ** 53n + 1n, -(2n ** 53n) - 3n, 2n ** 63n - 1n, -(2n ** 63n)];
  const data = BigInt64Array.from(exact);
  const { get, set } = codecOf('int64');
  // Ties go to even: 2 ** 53 + 1 lies between 2 ** 53 and 2 ** 53 + 2.
  const nearest = [2 ** 53 - 1, 2 ** 53, -(2 ** 53) - 4, 2 ** 63, -(2 ** 63)];
  nearest.forEach((x, i) => t.is(get(data, i), x));
  t.deepEqual([...data], exact);
  set(data, 0, -7.9);
  t.deepEqual([...data], [-7n, ...exact.slice(1)]);
});

test('V2: int64 tensors take bigints and integers, and give bigints', (t) => {
  const large = 2n ** 62n + 1n;
  t.deepEqual(tensor([large, -large]).toArray(), [large, -large]);
  t.deepEqual(tensor([1, -2], { dtype: 'int64' }).toArray(), [1n, -2n]);
  t.deepEqual(full(2, large, { dtype: 'int64' }).toArray(), [large, large]);
  t.deepEqual(zeros(1, { dtype: 'int64' }).fill(3).add_(large).toArray(), [large + 3n]);
  t.deepEqual(
    tensor([large])
      .add_(tensor([large]), -1)
      .toArray(),
    [0n],
  );
  t.deepEqual(
    tensor([2n ** 32n + 1n])
      .mul(2n ** 32n - 1n)
      .toArray(),
    [-1n],
  ); // 2 ** 64 - 1
});

for (const format of halfFormats) {
  const sizes = magnitudes(format);

  test(`V2: integers become the nearest ${format.name}`, (t) => {
    const numbers = [0, 1, -1, 255, 257, 2049, 2051, -4098, 65519, 65520, 2 ** 31 - 1, -(2 ** 31)];
    const source = tensor(numbers, { dtype: 'int32' });
    for (const from of ['int32', 'int64'] as const) {
      const out = array(numbers.length, format.name);
      castElements(source.astype(from).data, from, out, format.name);
      numbers.forEach((x, i) => t.is(out[i], nearestHalf(format, sizes, x), `${from} ${x}`));
    }
  });

  randomTest(`V2: an element set to any number is the nearest ${format.name}`, 2, (t, random) => {
    const numbers = Array.from({ length: 2000 }, () => random.float() * 2 ** random.integer(30));
    const wrong = numbers.find((x) => stored(format.name, x) !== nearestHalf(format, sizes, x));
    t.is(wrong, undefined);
    return Promise.resolve();
  });
}

for (const dtype of names) {
  test(`V2: setting one element of ${dtype} leaves its neighbours alone`, (t) => {
    const { get, set } = codecOf(dtype);
    const data: TensorData = array(3, dtype);
    set(data, 1, 100);
    t.deepEqual(
      [0, 1, 2].map((i) => get(data, i)),
      [0, 100, 0],
    );
    for (const beside of [-1, 3]) set(data, beside, 5);
    t.deepEqual(
      [0, 1, 2].map((i) => get(data, i)),
      [0, 100, 0],
    );
    t.is(data.length, 3);
  });

  test(`V2: a copy and a cast of ${dtype} to itself keep every bit`, (t) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => (i * 37) % 256);
    const Constructor = array(0, dtype).constructor as new (buffer: ArrayBuffer) => TensorData;
    const source = new Constructor(bytes.buffer);
    for (const copy of [copyElements, castToSelf(dtype)]) {
      const out: TensorData = array(source.length, dtype);
      copy(source, out);
      t.is(firstDifference(out, source), -1);
      // NaNs too: their payloads are compared as bytes.
      t.deepEqual(new Uint8Array(out.buffer), bytes);
    }
  });
}

function castToSelf(dtype: DType): (source: TensorData, out: TensorData) => void {
  return (source, out) => castElements(source, dtype, out, dtype);
}
