import { inspect } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { dtypes } from '../../src/core/dtypes.js';
import { rowIdList } from '../../src/core/row-ids.js';
import {
  cpu,
  KVStoreError,
  ones,
  rowSparse,
  type RowSparseTensor,
  tensor,
  type DType,
  type ErrorCode,
  type RowSparseOptions,
} from '../../src/index.js';
import { propertySettings } from '../helpers/random.js';

const instanceOf = KVStoreError;
const shape = [5, 2];

const idsOf = ({ indices }: RowSparseTensor) => Array.from(indices, Number);

test('V3: a row-sparse tensor sorts its rows by their ids', (t) => {
  const sparse = rowSparse({
    shape,
    indices: [4, 0, 3],
    rows: [
      [40, 41],
      [0, 1],
      [30, 31],
    ],
  });
  t.deepEqual(sparse.shape, [5, 2]);
  t.is(sparse.dtype, 'float32');
  t.deepEqual(sparse.device, cpu(0));
  t.is(sparse.nnz, 3);
  t.true(sparse.indices instanceof BigInt64Array);
  t.true(sparse.indices.buffer instanceof SharedArrayBuffer);
  t.deepEqual(idsOf(sparse), [0, 3, 4]);
  t.deepEqual(sparse.rows.shape, [3, 2]);
  t.deepEqual(sparse.rows.toArray(), [
    [0, 1],
    [30, 31],
    [40, 41],
  ]);
});

test('V3: a missing row is zero', (t) => {
  const sparse = rowSparse({ shape, indices: [3, 1], rows: [3, 4, 1, 2], dtype: 'float64' });
  const dense = sparse.toDense();
  t.is(dense.dtype, 'float64');
  t.deepEqual(dense.toArray(), [
    [0, 0],
    [1, 2],
    [0, 0],
    [3, 4],
    [0, 0],
  ]);
});

const lists = {
  numbers: [3, 1],
  bigints: [3n, 1n],
  Int32Array: Int32Array.of(3, 1),
  Uint8Array: Uint8Array.of(3, 1),
  BigInt64Array: BigInt64Array.of(3n, 1n),
  BigUint64Array: BigUint64Array.of(3n, 1n),
  'a float32 tensor': tensor([3, 1]),
  'an int32 tensor': tensor([3, 1], { dtype: 'int32' }),
};
for (const [name, indices] of Object.entries(lists)) {
  test(`V3: indices and row ids may come as ${name}`, (t) => {
    const sparse = rowSparse({ shape, indices, rows: [3, 4, 1, 2] });
    t.deepEqual(idsOf(sparse), [1, 3]);
    t.deepEqual(sparse.rows.toArray(), [
      [1, 2],
      [3, 4],
    ]);
    t.deepEqual([...rowIdList(indices, 5)], [1n, 3n]);
  });
}

const rowsLists: Readonly<Record<string, readonly [DType, RowSparseOptions['rows']]>> = {
  'nested arrays': [
    'float32',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  'a flat array': ['float32', [1, 2, 3, 4]],
  'a typed array': ['int32', Int32Array.of(1, 2, 3, 4)],
  'a tensor': ['float64', tensor([1, 2, 3, 4], { shape: [2, 2], dtype: 'float64' })],
};
for (const [name, [dtype, rows]] of Object.entries(rowsLists)) {
  test(`V3: rows may come as ${name}`, (t) => {
    for (const indices of [
      [1, 3],
      [3, 1],
    ]) {
      const sparse = rowSparse({ shape, indices, rows });
      const [first, second] = indices[0] === 1 ? [1, 3] : [3, 1];
      t.deepEqual(sparse.rows.toArray(), [
        [first, first + 1],
        [second, second + 1],
      ]);
      t.is(sparse.dtype, dtype);
    }
  });
}

test('V3: dtype and device are those of a tensor of rows, or the ones asked for', (t) => {
  const rows = ones([1, 2], { dtype: 'float64', device: cpu(2) });
  const sparse = rowSparse({ shape, indices: [1], rows });
  t.is(sparse.dtype, 'float64');
  t.deepEqual(sparse.device, cpu(2));
  t.deepEqual(rowSparse({ shape, indices: [1], rows, device: cpu(1) }).device, cpu(1));
  t.is(rowSparse({ shape, indices: [1], rows: [[1, 2]], dtype: 'int32' }).dtype, 'int32');
  t.is(rowSparse({ shape, indices: [1], rows, dtype: 'float16' }).rows.data[0], 0x3c00);
});

for (const { name: dtype } of dtypes) {
  test(`V3: a row-sparse tensor may be of ${dtype}`, (t) => {
    const rows = tensor([5, 6, 3, 4, 1, 2], { shape: [3, 2], dtype });
    const sparse = rowSparse({ shape, indices: [4, 2, 0], rows });
    t.is(sparse.dtype, dtype);
    t.deepEqual([...sparse.rows.toFloat32()], [1, 2, 3, 4, 5, 6]);
    t.deepEqual([...sparse.toDense().toFloat32()], [1, 2, 0, 0, 3, 4, 0, 0, 5, 6]);
    const indices = tensor([4, 2, 0], { dtype });
    t.deepEqual(idsOf(rowSparse({ shape, indices, rows })), [0, 2, 4]);
    t.deepEqual([...rowIdList(indices, 5)], [0n, 2n, 4n]);
  });
}

test('V3: rows of bigints make a tensor of int64', (t) => {
  const sparse = rowSparse({ shape: [3, 1], indices: [2n, 1n], rows: [[2n ** 60n], [-1n]] });
  t.is(sparse.dtype, 'int64');
  t.deepEqual(Array.from<unknown>(sparse.rows.data), [-1n, 2n ** 60n]);
});

test('V3: a row-sparse tensor keeps copies of what it was made of', (t) => {
  const rows = ones([1, 2]);
  const indices = BigInt64Array.of(1n);
  const sparse = rowSparse({ shape, indices, rows });
  rows.fill(7);
  indices.fill(0n);
  t.deepEqual(idsOf(sparse), [1]);
  t.deepEqual(sparse.rows.toArray(), [[1, 1]]);
});

test('V3: a tensor without rows, and rows without elements, are legal', (t) => {
  const none = rowSparse({ shape, indices: [], rows: [] });
  t.is(none.nnz, 0);
  t.deepEqual(none.rows.shape, [0, 2]);
  t.true(none.toDense().data.every((x) => x === 0));
  const narrow = rowSparse({ shape: [3, 0], indices: [2, 1], rows: [[], []] });
  t.deepEqual(idsOf(narrow), [1, 2]);
  t.deepEqual(narrow.toDense().shape, [3, 0]);
});

test('V3: rows may be single numbers, or matrices', (t) => {
  const numbers = rowSparse({ shape: 4, indices: [2, 0], rows: [2, 1] });
  t.deepEqual(numbers.toDense().toArray(), [1, 0, 2, 0]);
  const matrix = rowSparse({ shape: [3, 2, 2], indices: [1], rows: ones([1, 2, 2]) });
  t.is(matrix.toDense().data.at(4), 1);
});

test('V3: a tensor of sixty million rows takes the memory of those it holds', (t) => {
  const sparse = rowSparse({
    shape: [60_000_000, 64],
    indices: [59_999_999, 7],
    rows: ones([2, 64]),
  });
  t.deepEqual(idsOf(sparse), [7, 59_999_999]);
  t.is(sparse.rows.size, 128);
});

test('V3: toDense of more than the machine holds is refused, not tried', (t) => {
  const sparse = rowSparse({ shape: [2 ** 53 - 1], indices: [2 ** 53 - 2], rows: [1] });
  t.is(sparse.indices[0], 2n ** 53n - 2n);
  t.throws(() => sparse.toDense(), { instanceOf, code: 'memory_limit' });
});

type Mistake = readonly [ErrorCode, RegExp, Partial<Record<keyof RowSparseOptions, unknown>>];
const mistakes: Readonly<Record<string, Mistake>> = {
  'an id twice': ['bad_argument', /each index once, got 3 again/, { indices: [3, 3] }],
  'an id twice, apart': [
    'bad_argument',
    /got 3 again/,
    { indices: [3, 4, 0, 3], rows: ones([4, 2]) },
  ],
  'a negative id': ['row_id_out_of_range', /from 0 up to 4, got -1/, { indices: [-1, 0] }],
  'a fractional id': ['row_id_out_of_range', /got 0.5/, { indices: [0.5, 0] }],
  'NaN as an id': ['row_id_out_of_range', /got NaN/, { indices: [NaN, 0] }],
  'the id behind the last': ['row_id_out_of_range', /got 5/, { indices: [0, 5] }],
  'a huge id': [
    'row_id_out_of_range',
    /got 9223372036854775807/,
    { indices: BigInt64Array.of(0n, 2n ** 63n - 1n) },
  ],
  'too few rows': ['shape_mismatch', /expected shape \[2, 2\].*got \[1, 2\]/, { rows: [[1, 2]] }],
  'longer rows': ['shape_mismatch', /got \[2, 3\]/, { rows: ones([2, 3]) }],
  'a tensor of as many numbers': ['shape_mismatch', /got \[4\]/, { rows: ones([4]) }],
  'nested rows of as many numbers': ['shape_mismatch', /got \[1, 4\]/, { rows: [[1, 2, 3, 4]] }],
  'a number as rows': ['shape_mismatch', /got \[\]/, { rows: 1 }],
  'no rows': ['bad_argument', /got undefined/, { rows: undefined }],
  'a scalar shape': ['bad_argument', /at least one dimension/, { shape: [] }],
  'no shape': ['bad_argument', /expected a shape/, { shape: undefined }],
  'a number as indices': ['bad_argument', /a list of indices, got 1/, { indices: 1 }],
  'text as indices': ['bad_argument', /row ids, got "0"/, { indices: ['0', '1'] }],
  'nested indices': ['shape_mismatch', /one dimension/, { indices: [[0, 1]] }],
  'a matrix of indices': ['shape_mismatch', /got shape \[1, 2\]/, { indices: ones([1, 2]) }],
  'an unknown option': ['bad_argument', /colour/, { colour: 1 } as object],
};
for (const [name, [code, message, change]] of Object.entries(mistakes)) {
  test(`V3: a row-sparse tensor is not made of ${name}`, (t) => {
    const good = {
      shape,
      indices: [0, 1],
      rows: [
        [1, 2],
        [3, 4],
      ],
    };
    t.throws(() => rowSparse({ ...good, ...change } as RowSparseOptions), {
      instanceOf,
      code,
      message,
    });
  });
}

test('V3: a row-sparse tensor equals the dense tensor its rows were taken from', (t) => {
  t.log(`TENSORKV_SEED=${propertySettings(1).seed}`);
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 300 }), fc.nat({ max: 4 }))
    .chain(([rowCount, length]) =>
      fc.record({
        full: fc.constant([rowCount, length]),
        ids: fc.shuffledSubarray(Array.from({ length: rowCount }, (_, i) => i)),
      }),
    );
  const property = fc.property(cases, ({ full, ids }) => {
    const dense = ones(full).fill(0);
    const length = full[1]!;
    const rows = Float32Array.from({ length: ids.length * length }, (_, i) => i + 1);
    for (const [i, id] of ids.entries()) {
      dense.data.set(rows.subarray(i * length, (i + 1) * length), id * length);
    }
    const made = rowSparse({ shape: full, indices: ids, rows }).toDense();
    return made.data.every((x, i) => x === dense.data[i]);
  });
  fc.assert(property, propertySettings(300));
  t.pass();
});

test('V3: a row-sparse tensor prints its rows and which they are', (t) => {
  const sparse = rowSparse({ shape: [60_000_000, 2], indices: [7, 5], rows: [3, 4, 1, 2] });
  const text = `[[1, 2],
 [3, 4]]
<RowSparseTensor 60000000x2 float32 cpu(0), rows [5, 7]>`;
  t.is(sparse.toString(), text);
  t.is(inspect(sparse), text);
  const many = rowSparse({ shape: [20], indices: [...Array(20).keys()], rows: ones([20]) });
  t.regex(
    many.toString(),
    /<RowSparseTensor 20 float32 cpu\(0\), rows \[0, 1, 2, ..., 17, 18, 19\]>/,
  );
  const seven = rowSparse({ shape: [20], indices: [0, 1, 2, 3, 4, 5, 6], rows: ones([7]) });
  t.regex(seven.toString(), /rows \[0, 1, 2, ..., 4, 5, 6\]>/);
  t.regex(rowSparse({ shape, indices: [], rows: [] }).toString(), /rows \[\]>/);
});
