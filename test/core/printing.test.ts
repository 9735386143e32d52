import { inspect } from 'node:util';
import test from 'ava';
import { cpu, full, ones, tensor, zeros } from '../../src/index.js';

const printed: readonly (readonly [string, () => unknown, readonly string[]])[] = [
  ['a scalar', () => tensor(3), ['3', '<Tensor scalar float32 cpu(0)>']],
  [
    'a vector on another device',
    () => ones([3], { device: cpu(2) }),
    ['[1, 1, 1]', '<Tensor 3 float32 cpu(2)>'],
  ],
  [
    'a matrix in columns of one width',
    () =>
      tensor([
        [1.5, -2],
        [10, 1 / 3],
      ]),
    ['[[     1.5,       -2],', ' [      10, 0.333333]]', '<Tensor 2x2 float32 cpu(0)>'],
  ],
  [
    'three dimensions as matrices apart',
    () => ones([2, 2, 2], { dtype: 'int32' }),
    ['[[[1, 1],', '  [1, 1]],', '', ' [[1, 1],', '  [1, 1]]]', '<Tensor 2x2x2 int32 cpu(0)>'],
  ],
  ['no elements', () => zeros([0]), ['[]', '<Tensor 0 float32 cpu(0)>']],
  ['empty rows', () => zeros([2, 0]), ['[[],', ' []]', '<Tensor 2x0 float32 cpu(0)>']],
  [
    'no rows of any length',
    () => zeros([0, 2 ** 40]),
    ['[]', '<Tensor 0x1099511627776 float32 cpu(0)>'],
  ],
  [
    'what is no finite number',
    () => tensor([Number.NaN, Infinity, -Infinity, -0]),
    ['[      NaN,  Infinity, -Infinity,         0]', '<Tensor 4 float32 cpu(0)>'],
  ],
  [
    'six digits of a float64',
    () => tensor(Float64Array.of(123.4567891, 1e-9)),
    ['[123.457,    1e-9]', '<Tensor 2 float64 cpu(0)>'],
  ],
  [
    'the ends of a long vector',
    () => full([1001], 7),
    ['[7, 7, 7, ..., 7, 7, 7]', '<Tensor 1001 float32 cpu(0)>'],
  ],
  [
    'the corners of a large matrix',
    () => zeros([40, 40]),
    [
      '[[0, 0, 0, ..., 0, 0, 0],',
      ' [0, 0, 0, ..., 0, 0, 0],',
      ' [0, 0, 0, ..., 0, 0, 0],',
      ' ...,',
      ' [0, 0, 0, ..., 0, 0, 0],',
      ' [0, 0, 0, ..., 0, 0, 0],',
      ' [0, 0, 0, ..., 0, 0, 0]]',
      '<Tensor 40x40 float32 cpu(0)>',
    ],
  ],
];
for (const [name, make, lines] of printed) {
  test(`V1: prints ${name}`, (t) => {
    t.is(String(make()), lines.join('\n'));
  });
}

test('V1: a tensor of 1,000 elements is printed whole', (t) => {
  const [line] = String(zeros([1000])).split('\n');
  t.is(line, `[${Array.from({ length: 1000 }, () => '0').join(', ')}]`);
});

test('V1: elements left out do not widen the columns', (t) => {
  const long = zeros([2000]);
  long.data[1000] = 123_456;
  t.is(String(long).split('\n')[0], '[0, 0, 0, ..., 0, 0, 0]');
});

test('V1: console.log shows a tensor as it prints itself', (t) => {
  const matrix = ones([2, 2]);
  t.is(inspect(matrix), String(matrix));
});
