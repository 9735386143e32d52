import test from 'ava';
import fc from 'fast-check';
import * as reference from '../../native/reference.js';
import type { RowList } from '../../native/kernels.js';
import { RowIndex } from '../../src/core/row-index.js';
import { firstDifference, guarded, randoms, zeros } from '../helpers/floats.js';
import { checkProperty, everyKernels, expect, types } from './support.js';

/** Places where ids lie: each list takes some of the next hundred. */
const starts = [0n, 2n ** 31n - 50n, 2n ** 32n - 50n, 2n ** 53n - 50n, 2n ** 62n, -50n];

const anyIds = fc
  .uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 60 })
  .map((list) => list.sort((a, b) => a - b));
const anyLists = fc
  .tuple(fc.constantFrom(...starts), fc.array(anyIds, { maxLength: 12 }))
  .map(([start, lists]) => lists.map((ids) => BigInt64Array.from(ids, (id) => start + BigInt(id))));

function unionOf(lists: readonly BigInt64Array[]): BigInt64Array {
  const out = new BigInt64Array(lists.reduce((total, ids) => total + ids.length, 0));
  return out.slice(0, reference.unionIds(lists, out));
}

const same = (a: BigInt64Array, b: BigInt64Array) => firstDifference(a, b, 'int64') === -1;

for (const kernels of everyKernels) {
  test(`S14: unionIds gives every id of the lists once, ascending: ${kernels.cpu}`, (t) => {
    const cases: readonly (readonly bigint[][])[] = [
      [],
      [[]],
      [[], [], []],
      [[5n]],
      [[1n, 2n, 3n]],
      [[3n], [2n], [1n]],
      [[1n, 2n], [], [2n, 3n], [1n, 3n]],
      [[2n ** 53n - 1n, 2n ** 62n], [2n ** 53n, 2n ** 63n - 2n], [2n ** 53n + 1n]],
      Array.from({ length: 70 }, (_, k) => [BigInt(k % 7), BigInt(100 + k)]),
    ];
    for (const lists of cases) {
      const expected = [...new Set(lists.flat())].sort((a, b) => (a < b ? -1 : 1));
      const out = guarded(lists.flat().length, 1, 'int64');
      const count = kernels.unionIds(
        lists.map((ids) => BigInt64Array.from(ids)),
        out.data,
      );
      t.deepEqual([...out.data.subarray(0, count)], expected);
      t.true(out.isIntact());
    }
  });

  test(`S14: unionIds equals the set of all ids for any lists: ${kernels.cpu}`, (t) => {
    checkProperty(t, anyLists, (lists) => {
      const all = lists.flatMap((ids) => [...ids]);
      const expected = BigInt64Array.from(new Set(all)).sort();
      const out = guarded(all.length, 2, 'int64');
      const count = kernels.unionIds(lists, out.data);
      expect(same(out.data.subarray(0, count), expected), 'the union');
      expect(out.isIntact(), 'bytes outside of out');
    });
  });

  for (const type of types) {
    test(`S14: sumRows equals the reference: ${kernels.cpu}, ${type}`, (t) => {
      const cases = fc.record({
        lists: anyLists,
        rowLength: fc.constantFrom(0, 1, 3, 16, 65, 300),
        seed: fc.nat(),
        // How much of the union is left out at its ends; mostly nothing.
        first: fc.constantFrom(0, 0, 1, 5),
        dropped: fc.constantFrom(0, 0, 1, 5),
      });
      checkProperty(t, cases, ({ lists, rowLength, seed, first, dropped }) => {
        const inputs = lists.map((ids, k): RowList => {
          return { ids, rows: randoms(ids.length * rowLength, seed + k, type) };
        });
        const union = unionOf(lists);
        const ids = union.subarray(first, Math.max(first, union.length - dropped));
        const length = ids.length * rowLength;
        const expected = zeros(length, type);
        reference.sumRows(inputs, { ids, rows: expected }, rowLength, type);

        const actual = guarded(length, seed % 4, type);
        actual.data.fill((type === 'int64' ? 7n : 7) as never);
        kernels.sumRows(inputs, { ids, rows: actual.data }, rowLength, type);
        const at = firstDifference(actual.data, expected, type);
        expect(at === -1, `${lists.length} lists, row length ${rowLength}, element ${at}`);
        expect(actual.isIntact(), 'bytes outside of out');
      });
    });
  }

  test(`S14: sumRows adds in list order, and rounds each addition: ${kernels.cpu}`, (t) => {
    const ids = BigInt64Array.of(9n);
    const list = (x: number): RowList => ({ ids, rows: Float32Array.of(x) });
    const rows = new Float32Array(1);
    kernels.sumRows([list(2 ** 24), list(1), list(1)], { ids, rows }, 1);
    t.is(rows[0], 2 ** 24);
    kernels.sumRows([list(1), list(1), list(2 ** 24)], { ids, rows }, 1);
    t.is(rows[0], 2 ** 24 + 2);
  });

  test(`S14: sumRows gives zeros for a row that no input has: ${kernels.cpu}`, (t) => {
    const input = { ids: BigInt64Array.of(2n, 4n), rows: Float64Array.of(1, 2, 3, 4) };
    const rows = new Float64Array(6).fill(NaN);
    kernels.sumRows([input, input], { ids: BigInt64Array.of(1n, 4n, 5n), rows }, 2);
    t.deepEqual([...rows], [0, 0, 6, 8, 0, 0]);
    rows.fill(NaN);
    kernels.sumRows([], { ids: BigInt64Array.of(1n, 4n, 5n), rows }, 2);
    t.true(rows.every((x) => x === 0));
  });

  test(`S14: gatherRows and scatterRows equal the reference: ${kernels.cpu}`, (t) => {
    const cases = fc.record({
      type: fc.constantFrom(...types),
      rowCount: fc.integer({ min: 1, max: 100 }),
      rowLength: fc.constantFrom(0, 1, 2, 3, 8, 64, 257),
      count: fc.nat(100),
      seed: fc.nat(),
    });
    checkProperty(t, cases, ({ type, rowCount, rowLength, count, seed }) => {
      const source = randoms(rowCount * rowLength, seed, type);
      const rowBytes = rowLength * source.BYTES_PER_ELEMENT;
      const bytes = (view: ArrayBufferView) =>
        Buffer.from(view.buffer, view.byteOffset, view.byteLength);

      const random = randoms(count, seed, 'uint8');
      const chosen = BigInt64Array.from(random, (x) => BigInt((x % (rowCount + 1)) - 1));
      const gathered = guarded(count * rowLength, seed % 5, type);
      const expected = zeros(count * rowLength, type);
      reference.gatherRows(source, chosen, expected, rowBytes);
      kernels.gatherRows(source, chosen, gathered.data, rowBytes);
      expect(bytes(gathered.data).equals(bytes(expected)), 'gathered rows');
      expect(gathered.isIntact(), 'bytes outside of the gathered rows');

      // Distinct rows, in an order of their own.
      const taken = [...new Set(random)].filter((x) => x < rowCount).map(BigInt);
      const rows = source.slice(0, taken.length * rowLength);
      const target = guarded(rowCount * rowLength, seed % 3, type);
      const model = zeros(rowCount * rowLength, type);
      reference.scatterRows(rows, BigInt64Array.from(taken), model, rowBytes);
      kernels.scatterRows(rows, BigInt64Array.from(taken), target.data, rowBytes);
      expect(bytes(target.data).equals(bytes(model)), 'scattered rows');
      expect(target.isIntact(), 'bytes outside of the scattered rows');
    });
  });

  test(`S14: gatherRows takes rows in any order, -1 as zeros: ${kernels.cpu}`, (t) => {
    const source = Int32Array.of(10, 11, 20, 21, 30, 31);
    const out = new Int32Array(8).fill(7);
    kernels.gatherRows(source, BigInt64Array.of(2n, -1n, 0n, 2n), out, 8);
    t.deepEqual([...out], [30, 31, 0, 0, 10, 11, 30, 31]);
    kernels.scatterRows(Int32Array.of(1, 2, 3, 4), BigInt64Array.of(2n, 0n), source, 8);
    t.deepEqual([...source], [3, 4, 20, 21, 1, 2]);
  });

  test(`S14: findRows serves an index of rows as its definition does: ${kernels.cpu}`, (t) => {
    checkProperty(t, fc.tuple(anyLists, anyIds), ([lists, added]) => {
      const [index, model] = [new RowIndex(kernels.findRows), new RowIndex()];
      for (const ids of [...lists, BigInt64Array.from(added, BigInt)]) {
        for (const addMissing of [false, true, false]) {
          const slots = guarded(ids.length, 1, 'int64');
          const expected = new BigInt64Array(ids.length);
          const absent = index.lookup(ids, slots.data, addMissing);
          expect(absent === model.lookup(ids, expected, addMissing), 'the number of absent ids');
          expect(same(slots.data, expected), 'the slots');
          expect(slots.isIntact(), 'bytes outside of out');
        }
      }
      expect(same(index.ids(), model.ids()), 'the ids');
    });
  });

  test(`S14: row kernels refuse what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const ids = BigInt64Array.of(1n, 3n);
    const rows = new Float32Array(4);
    const refuses = (run: () => void, message: RegExp) => t.throws(run, { message });
    const out = { ids, rows: new Float32Array(4) };

    refuses(() => kernels.unionIds([ids], new BigInt64Array(1)), /room for all ids/);
    refuses(() => kernels.unionIds([ids], ids), /overlaps none/);
    refuses(() => kernels.unionIds([new Int32Array(2) as never], ids), /BigInt64Array/);
    refuses(() => kernels.sumRows([{ ids, rows }], out, 3), /one row an id/);
    refuses(() => kernels.sumRows([{ ids, rows: rows.subarray(1) }], out, 2), /one row an id/);
    refuses(() => kernels.sumRows([{ ids, rows: new Float64Array(4) }], out, 2), /one type/);
    refuses(() => kernels.sumRows([out], out, 2), /overlap no other/);
    refuses(() => kernels.sumRows([{ ids, rows }], out, -2), /a row has a length/);
    const bits = { ids, rows: new Uint16Array(4) };
    refuses(() => kernels.sumRows([bits], { ids, rows: new Uint16Array(4) }, 2), /told the dtype/);

    const two = new Float32Array(2);
    for (const strange of [4n, -1n, -2n, 2n ** 32n, -(2n ** 63n)]) {
      const position = BigInt64Array.of(strange);
      refuses(() => kernels.scatterRows(two, position, rows, 8), /that of a row/);
      if (strange === -1n) continue;
      refuses(() => kernels.gatherRows(rows, position, two, 8), /that of a row/);
    }
    refuses(() => kernels.gatherRows(rows, ids, two, 8), /one row a position/);
    refuses(() => kernels.gatherRows(rows, BigInt64Array.of(1n), rows.subarray(2), 8), /overlap/);
    refuses(() => kernels.scatterRows(rows, ids, new Int32Array(4), 8), /one type/);
    refuses(() => kernels.gatherRows(rows, ids, two, 0.5), /number of bytes/);

    const table = new Int32Array(8);
    const slots = new BigInt64Array(2);
    refuses(() => kernels.findRows(new Int32Array(6), ids, ids, slots), /power of two/);
    refuses(() => kernels.findRows(new Int32Array(0), slots, ids, slots), /power of two/);
    refuses(() => kernels.findRows(new Int32Array(2), ids, ids, slots), /empty place/);
    refuses(() => kernels.findRows(table, ids, ids, slots.subarray(1)), /as many slots/);
    refuses(() => kernels.findRows(table, ids, ids, ids), /overlap no other/);
  });
}
