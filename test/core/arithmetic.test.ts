import fc from 'fast-check';
import test from 'ava';
import { cpu, full, KVStoreError, ones, tensor, zeros, type Tensor } from '../../src/index.js';
import { propertySettings } from '../helpers/random.js';

const instanceOf = KVStoreError;

test('V1: add and mul give new tensors and leave their operands alone', (t) => {
  const [a, b] = [tensor([1, 2, 3]), tensor([10, 20, 30])];
  t.deepEqual(a.add(b).toArray(), [11, 22, 33]);
  t.deepEqual(a.add(1).toArray(), [2, 3, 4]);
  t.deepEqual(a.mul(b).toArray(), [10, 40, 90]);
  t.deepEqual(a.mul(-2).toArray(), [-2, -4, -6]);
  t.deepEqual(
    [a.toArray(), b.toArray()],
    [
      [1, 2, 3],
      [10, 20, 30],
    ],
  );
});

test('V1: add_, mul_, fill and copyFrom work in place and return their tensor', (t) => {
  const a = ones([3]);
  const { data } = a;
  t.is(a.add_(tensor([1, 2, 3]), 2), a);
  t.deepEqual(a.toArray(), [3, 5, 7]);
  t.is(a.add_(1, 0.5), a);
  t.deepEqual(a.toArray(), [3.5, 5.5, 7.5]);
  t.is(a.mul_(2), a);
  t.deepEqual(a.toArray(), [7, 11, 15]);
  t.is(a.mul_(tensor([0, 1, 2])), a);
  t.deepEqual(a.toArray(), [0, 11, 30]);
  t.is(a.fill(4), a);
  t.deepEqual(a.toArray(), [4, 4, 4]);
  t.is(a.copyFrom(tensor([1, 2, 3])), a);
  t.deepEqual(a.toArray(), [1, 2, 3]);
  t.is(a.data, data);
});

test('V1: a tensor may be its own operand', (t) => {
  const a = tensor([1, 2]);
  t.deepEqual(a.add_(a).toArray(), [2, 4]);
  t.deepEqual(a.mul_(a).toArray(), [4, 16]);
  t.deepEqual(a.copyFrom(a).toArray(), [4, 16]);
});

test('V1: results keep shape, dtype and device', (t) => {
  const a = ones([2, 1], { dtype: 'float64', device: cpu(3) });
  for (const result of [a.add(1), a.mul(a)]) {
    t.deepEqual(result.shape, [2, 1]);
    t.is(result.dtype, 'float64');
    t.deepEqual(result.device, cpu(3));
  }
});

test('V1: arithmetic is exact in each dtype: one rounding, and integers wrap around', (t) => {
  t.is(full([1], 0.1).add(0.2).data[0], Math.fround(Math.fround(0.1) + 0.2));
  t.is(full([1], 0.1, { dtype: 'float64' }).add(0.2).data[0], 0.1 + 0.2);
  t.is(full([1], 2 ** 31 - 1, { dtype: 'int32' }).add(1).data[0], -(2 ** 31));
});

test('V1: products of integers wrap around exactly, beyond what a double holds too', (t) => {
  const high = 2 ** 31 - 1;
  const low = -(2 ** 31);
  const a = tensor([high, low, high, 65537], { dtype: 'int32' });
  const b = tensor([high, low, low, 65537], { dtype: 'int32' });
  // In bigints: 2 ** 62 - 2 ** 32 + 1, 2 ** 62, -(2 ** 62) + 2 ** 31 and 2 ** 32 + 2 ** 17 + 1.
  const products = [1, 0, low, 131073];
  t.deepEqual(a.mul(b).toArray(), products);
  t.deepEqual(a.mul(high).toArray(), [1, low, 1, high - 65536]);
  t.deepEqual(zeros([4], { dtype: 'int32' }).add_(b, high).toArray(), [1, low, low, high - 65536]);
  // 127 * (2 ** 53 - 1), whose last bits are those of -127.
  t.is(full([1], 127, { dtype: 'int8' }).mul(2 ** 53 - 1).data[0], -127);
  // Other factors are multiplied as doubles, then truncated.
  t.deepEqual(tensor([5, -5], { dtype: 'int32' }).mul(0.5).toArray(), [2, -2]);
});

test('V1: fill saturates integers as a cast does', (t) => {
  for (const dtype of ['int8', 'uint8', 'int32'] as const) {
    for (const x of [300, -300, 1e10, -1e10, Infinity, -Infinity, NaN, 1.9, -1.9]) {
      t.is(full([1], x, { dtype }).data[0], tensor([x], { dtype }).data[0], `${dtype} ${x}`);
    }
  }
});

test('V1: add_ with a scale is add of the scaled tensor', (t) => {
  const numbers = fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 40 });
  const property = fc.property(numbers, fc.double({ noNaN: true }), (values, scale) => {
    const a = tensor(values);
    const sum = zeros(a.shape).add_(a, scale);
    return values.every((x, i) => Object.is(sum.data[i], Math.fround(0 + scale * x)));
  });
  fc.assert(property, propertySettings(200));
  t.pass();
});

const binary: Readonly<Record<string, (a: Tensor, b: Tensor) => unknown>> = {
  add: (a, b) => a.add(b),
  mul: (a, b) => a.mul(b),
  add_: (a, b) => a.add_(b),
  mul_: (a, b) => a.mul_(b),
  copyFrom: (a, b) => a.copyFrom(b),
};
for (const [method, run] of Object.entries(binary)) {
  test(`V1: ${method} names the shapes that differ`, (t) => {
    t.throws(() => run(ones([2, 3]), ones([3, 2])), {
      instanceOf,
      code: 'shape_mismatch',
      message: `${method} expected shape [2, 3], got [3, 2]`,
    });
    t.throws(() => run(ones([2]), ones([1])), { instanceOf, code: 'shape_mismatch' });
  });

  test(`V1: ${method} names the dtypes that differ`, (t) => {
    t.throws(() => run(ones([2]), ones([2], { dtype: 'int32' })), {
      instanceOf,
      code: 'dtype_mismatch',
      message: `${method} expected dtype float32, got int32`,
    });
  });

  test(`V1: ${method} refuses what is no tensor and changes nothing`, (t) => {
    const a = ones([2]);
    for (const stranger of ['1', null, undefined, [1, 2], Float32Array.of(1, 2), 1n]) {
      t.throws(() => run(a, stranger as unknown as Tensor), { instanceOf, code: 'bad_argument' });
    }
    t.deepEqual(a.toArray(), [1, 1]);
  });
}

test('V1: fill and the scale of add_ take numbers only', (t) => {
  const a = ones([2]);
  for (const x of ['1', null, 1n] as unknown[]) {
    t.throws(() => a.fill(x as number), { instanceOf, code: 'bad_argument' });
    t.throws(() => a.add_(a, x as number), { instanceOf, code: 'bad_argument' });
  }
  t.deepEqual(a.toArray(), [1, 1]);
});
