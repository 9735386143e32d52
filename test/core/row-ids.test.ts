import test from 'ava';
import fc from 'fast-check';
import { rowIdList } from '../../src/core/row-ids.js';
import { KVStoreError, tensor, type ErrorCode } from '../../src/index.js';
import { propertySettings } from '../helpers/random.js';

const instanceOf = KVStoreError;

test('S14: a list of row ids takes any shape, any order and duplicates', (t) => {
  const cases: readonly (readonly [unknown, readonly bigint[]])[] = [
    [[], []],
    [[[], [[]]], []],
    [3, [3n]],
    [3n, [3n]],
    [
      [
        [4, 1],
        [1, 0],
      ],
      [0n, 1n, 4n],
    ],
    [
      [1n, [2, Int32Array.of(0, 2)], tensor([1, 3])],
      [0n, 1n, 2n, 3n],
    ],
    [
      tensor(
        [
          [4, 4],
          [2, 3],
        ],
        { dtype: 'int32' },
      ),
      [2n, 3n, 4n],
    ],
    [Float64Array.of(-0, 0, 4), [0n, 4n]],
    [BigInt64Array.of(4n, 4n, 3n), [3n, 4n]],
    [new Int32Array(0), []],
  ];
  for (const [ids, expected] of cases) {
    const list = rowIdList(ids, 5);
    t.deepEqual([...list], expected);
    t.true(list.buffer instanceof SharedArrayBuffer);
  }
});

test('S14: a list of row ids leaves the array it was made of as it was', (t) => {
  const ids = Float64Array.of(3, 1, 3);
  rowIdList(ids, 5);
  t.deepEqual([...ids], [3, 1, 3]);
});

test('S14: row ids that are no rows are refused', (t) => {
  const refuses = (ids: unknown, code: ErrorCode, message: RegExp) =>
    t.throws(() => rowIdList(ids, 5), { instanceOf, code, message });
  for (const id of [5, -1, 0.5, NaN, Infinity, 2 ** 53, 5n, -1n, 2n ** 32n]) {
    refuses([0, [id]], 'row_id_out_of_range', new RegExp(`from 0 up to 4, got ${id}`));
  }
  refuses(Int32Array.of(-1), 'row_id_out_of_range', /got -1/);
  refuses(BigInt64Array.of(-1n), 'row_id_out_of_range', /got -1/);
  refuses(BigUint64Array.of(2n ** 64n - 1n), 'row_id_out_of_range', /got 18446744073709551615/);
  refuses(tensor([0, 1.5]), 'row_id_out_of_range', /got 1.5/);
  for (const id of ['1', null, undefined, {}, true, new DataView(new ArrayBuffer(8))]) {
    refuses([id], 'bad_argument', /expected row ids/);
    refuses(id, 'bad_argument', /expected row ids/);
  }
  const withHole = [0, 1];
  withHole[3] = 2;
  refuses(withHole, 'bad_argument', /got undefined/);
});

test('S14: a list of row ids keeps ids up to 2 ** 53 exact', (t) => {
  const ids = [2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 2];
  t.deepEqual([...rowIdList(ids.toReversed(), 2 ** 53 - 1)], ids.map(BigInt));
});

test('S14: a list of row ids equals the sorted set of the ids', (t) => {
  t.log(`TENSORKV_SEED=${propertySettings(1).seed}`);
  const ids = fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { maxLength: 200 });
  const property = fc.property(ids, fc.nat(60), (list, repeats) => {
    const given = [...list, ...list.slice(0, repeats)];
    const expected = [...new Set(list)].sort((a, b) => a - b).map(BigInt);
    for (const form of [given, Float64Array.from(given), BigInt64Array.from(given, BigInt)]) {
      const got = rowIdList(form, 2 ** 40 + 1);
      if (got.join() !== expected.join()) return false;
    }
    return true;
  });
  fc.assert(property, propertySettings(300));
  t.pass();
});
