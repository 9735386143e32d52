import { inspect } from 'node:util';
import test from 'ava';
import {
  cpu,
  full,
  KVStoreError,
  ones,
  tensor,
  Tensor,
  zeros,
  type NestedNumbers,
  type Shape,
} from '../../src/index.js';

const instanceOf = KVStoreError;

test('V1: zeros, ones and full fill a tensor of the shape and dtype that was asked for', (t) => {
  const [zero, one, seven] = [zeros([2, 3]), ones([4], { dtype: 'float64' }), full([2], 7)];
  t.deepEqual(zero.toArray(), [
    [0, 0, 0],
    [0, 0, 0],
  ]);
  t.deepEqual(one.toArray(), [1, 1, 1, 1]);
  t.deepEqual(seven.toArray(), [7, 7]);
  t.deepEqual([zero.dtype, one.dtype, seven.dtype], ['float32', 'float64', 'float32']);
  t.deepEqual(zero.shape, [2, 3]);
  t.deepEqual([zero.size, one.size], [6, 4]);
  t.deepEqual(zero.device, cpu(0));
});

test('V1: a number as shape is one dimension', (t) => {
  t.deepEqual(zeros(3).shape, [3]);
  t.deepEqual(zeros(0).toArray(), []);
});

test('V1: a scalar has the empty shape and one element', (t) => {
  const scalar = full([], 2.5);
  t.is(scalar.size, 1);
  t.is(scalar.toArray(), 2.5);
  t.is(tensor(2.5).toArray(), 2.5);
});

test('V1: a dimension may be empty', (t) => {
  t.deepEqual(zeros([2, 0]).toArray(), [[], []]);
  t.deepEqual(zeros([0, 2]).toArray(), []);
  t.is(zeros([3, 0, 5]).size, 0);
});

test('V1: tensor takes the shape of nested arrays', (t) => {
  const nested = [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
  ];
  const cube = tensor(nested);
  t.deepEqual(cube.shape, [2, 2, 2]);
  t.deepEqual([...cube.data], [1, 2, 3, 4, 5, 6, 7, 8]);
  t.deepEqual(cube.toArray(), nested);
  t.deepEqual(tensor([[], []]).shape, [2, 0]);
});

test('V1: tensor lays flat or nested numbers out in a given shape', (t) => {
  t.deepEqual(tensor([1, 2, 3, 4], { shape: [2, 2] }).toArray(), [
    [1, 2],
    [3, 4],
  ]);
  t.deepEqual(tensor([[1], [2]], { shape: [2] }).toArray(), [1, 2]);
  t.is(tensor([[5]], { shape: [] }).toArray(), 5);
});

test('V1: tensor copies a typed array and keeps its dtype', (t) => {
  const source = Float64Array.of(0.1, 0.2);
  const copy = tensor(source);
  source[0] = 9;
  t.is(copy.dtype, 'float64');
  t.deepEqual([...copy.data], [0.1, 0.2]);
  t.is(tensor(Int32Array.of(1)).dtype, 'int32');
  t.is(tensor(Int32Array.of(1), { dtype: 'float32' }).dtype, 'float32');
});

test('V1: every element stands on a SharedArrayBuffer', (t) => {
  for (const shape of [[0], [1], [100, 100]]) {
    t.true(zeros(shape).data.buffer instanceof SharedArrayBuffer);
  }
});

test('V1: a shape cannot be changed, neither by its caller nor by its reader', (t) => {
  const mine = [2, 3];
  const made = zeros(mine);
  mine[0] = 9;
  t.deepEqual(made.shape, [2, 3]);
  t.true(Object.isFrozen(made.shape));
});

test('V1: toFloat32 gives numbers of this thread alone', (t) => {
  const made = tensor(Float64Array.of(0.1, 2));
  const own = made.toFloat32();
  t.deepEqual([...own], [Math.fround(0.1), 2]);
  own[0] = 5;
  t.is(made.data[0], 0.1);
  t.true(own.buffer instanceof ArrayBuffer);
});

const badShapes: readonly (readonly [string, unknown])[] = [
  ['a negative number', -1],
  ['a fraction', [1.5]],
  ['NaN', [Number.NaN]],
  ['a string', 'x'],
  ['a string in an array', ['2']],
  ['null', null],
  ['undefined', undefined],
  ['a hole', [, 3]], // oxlint-disable-line no-sparse-arrays
  ['an object', { length: 1 }],
  ['a typed array', Int32Array.of(2)],
  ['a bigint', [2n]],
  ['nested arrays', [[2]]],
  ['more elements than numbers can count', [2 ** 30, 2 ** 30]],
];
for (const [name, shape] of badShapes) {
  test(`V1: ${name} is no shape`, (t) => {
    for (const make of [zeros, ones, (bad: Shape) => full(bad, 1)]) {
      t.throws(() => make(shape as Shape), {
        instanceOf,
        code: 'bad_argument',
        message: /^expected a shape \(an array of integers from 0 up\), got /,
      });
    }
  });
}

test('V1: a shape that does not fit the data is named with both counts', (t) => {
  t.throws(() => tensor([1, 2], { shape: [3] }), {
    instanceOf,
    code: 'shape_mismatch',
    message: 'shape [3] expected 3 numbers, got 2',
  });
  t.throws(() => tensor(Float32Array.of(1, 2), { shape: [] }), {
    instanceOf,
    code: 'shape_mismatch',
  });
});

test('V1: rows of different lengths make no tensor', (t) => {
  const ragged: readonly NestedNumbers[] = [
    [[1, 2], [3]],
    [[1], 2],
    [1, [2]],
    [[[1]], [[1, 2]]],
  ];
  for (const each of ragged) {
    t.throws(() => tensor(each), { instanceOf, code: 'shape_mismatch', message: /at row 1$/ });
  }
});

const noNumbers: readonly unknown[] = ['1', null, undefined, [5n, 1], {}, [1, 'a'], [[1], [null]]];
/** Arrays with a hole at this place. */
const holes = [0, 1].map((hole) => {
  const list: unknown[] = [1, 2, 3];
  Reflect.deleteProperty(list, hole);
  return list;
});
for (const data of [...noNumbers, ...holes]) {
  test(`V1: tensor takes numbers only, not ${inspect(data)}`, (t) => {
    t.throws(() => tensor(data as NestedNumbers), { instanceOf, code: 'bad_argument' });
  });
}

test('V1: tensor refuses typed arrays that it could not keep as they are', (t) => {
  const strangers = [new Uint32Array(2), new BigUint64Array(2), new DataView(new ArrayBuffer(8))];
  for (const data of strangers) {
    t.throws(() => tensor(data as unknown as Float32Array), {
      instanceOf,
      code: 'dtype_mismatch',
      message: `tensor expected a typed array that holds a dtype, got a value of class ${data.constructor.name}`,
    });
  }
  for (const dtype of [undefined, 'float32'] as const) {
    t.throws(() => tensor(new Uint16Array(2), dtype === undefined ? {} : { dtype }), {
      instanceOf,
      code: 'dtype_mismatch',
      message: /^tensor expected dtype float16 or bfloat16 with a Uint16Array/,
    });
  }
});

test('V1: full takes a number to fill with', (t) => {
  for (const x of ['1', null, undefined, 1n] as unknown[]) {
    t.throws(() => full([2], x as number), {
      instanceOf,
      code: 'bad_argument',
      message: /^full expected a number to fill with, got /,
    });
  }
});

test('V1: an option that does not exist is named', (t) => {
  t.throws(() => zeros([2], { dtyp: 'float64' } as object), {
    instanceOf,
    code: 'bad_argument',
    message: /got "dtyp"$/,
  });
  t.throws(() => tensor([1], { shap: [1] } as object), {
    instanceOf,
    code: 'bad_argument',
    message: /got "shap"$/,
  });
  t.throws(() => zeros([2], null as unknown as object), { instanceOf, code: 'bad_argument' });
});

test('V1: a tensor is made by the functions, and is an instance of Tensor', (t) => {
  t.true(zeros([1]) instanceof Tensor);
});
