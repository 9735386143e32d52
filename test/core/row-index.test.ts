import test from 'ava';
import fc from 'fast-check';
import { RowIndex } from '../../src/core/row-index.js';
import { propertySettings } from '../helpers/random.js';

/** Ids that share words, signs and ranges: close together, around 2 ** 32, 2 ** 53 and beyond. */
const anyId = fc.oneof(
  fc.bigInt({ min: 0n, max: 40n }),
  fc.bigInt({ min: 0n, max: 20n }).map((k) => k << 32n),
  fc.bigInt({ min: 0n, max: 20n }).map((k) => k << 20n),
  fc.constantFrom(2n ** 31n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 62n, 2n ** 63n - 1n),
);

test('S14: a row index numbers rows in the order in which they are added', (t) => {
  const index = new RowIndex();
  t.is(index.size, 0);
  t.is(index.get(5), -1);
  t.deepEqual(
    [59_999_999, 0, 5, 0, 59_999_999].map((id) => index.add(id)),
    [0, 1, 2, 1, 0],
  );
  t.is(index.size, 3);
  t.is(index.get(5), 2);
  t.is(index.get(5n), 2);
  t.is(index.get(6), -1);
  t.deepEqual([...index.ids()], [59_999_999n, 0n, 5n]);
});

test('S14: a row index tells ids apart that share a word', (t) => {
  const ids = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 31, 2 ** 52, Number.MAX_SAFE_INTEGER];
  const index = new RowIndex();
  for (const id of ids) index.add(id);
  t.deepEqual(
    ids.map((id) => index.get(BigInt(id))),
    ids.map((_, slot) => slot),
  );
  t.deepEqual([...index.ids()], ids.map(BigInt));
});

test('S14: a row index refuses numbers that are no integers', (t) => {
  const index = new RowIndex();
  for (const id of [0.5, NaN, Infinity]) {
    t.throws(() => index.get(id), { instanceOf: RangeError });
    t.throws(() => index.add(id), { instanceOf: RangeError });
  }
  t.is(index.size, 0);
});

test('S14: a row index agrees with a Map, whatever is looked up and added', (t) => {
  t.log(`TENSORKV_SEED=${propertySettings(1).seed}`);
  const calls = fc.array(fc.tuple(fc.boolean(), fc.array(anyId, { maxLength: 60 })));
  const property = fc.property(calls, (lists) => {
    const index = new RowIndex();
    const model = new Map<bigint, number>();
    for (const [addMissing, list] of lists) {
      const absent = list.filter((id) => !model.has(id)).length;
      if (addMissing) for (const id of list) if (!model.has(id)) model.set(id, model.size);
      const expected = list.map((id) => model.get(id) ?? -1);

      const slots = new BigInt64Array(list.length).fill(7n);
      const reported = index.lookup(BigInt64Array.from(list), slots, addMissing);
      if (reported !== absent) throw new Error(`reported ${reported} of ${absent} absent`);
      if (slots.some((slot, i) => Number(slot) !== expected[i])) throw new Error(`got ${slots}`);
      if (index.size !== model.size) throw new Error(`holds ${index.size} of ${model.size}`);
      if (index.ids().some((id, slot) => model.get(id) !== slot)) throw new Error('ids by slot');
    }
  });
  fc.assert(property, propertySettings(300));
  t.pass();
});

test('S14: a row index holds a million rows of sixty million', (t) => {
  const index = new RowIndex();
  const ids = new BigInt64Array(1_000_000);
  // 7919 and 60 million have no common factor, so no id comes twice.
  for (let i = 0; i < ids.length; i++) ids[i] = BigInt((i * 7919) % 60_000_000);
  const slots = new BigInt64Array(ids.length);
  t.is(index.lookup(ids, slots, true), ids.length);
  t.is(index.size, ids.length);
  t.is(
    slots.findIndex((slot, i) => Number(slot) !== i),
    -1,
  );
  slots.fill(-1n);
  t.is(index.lookup(ids, slots), 0);
  t.is(
    slots.findIndex((slot, i) => Number(slot) !== i),
    -1,
  );
});
