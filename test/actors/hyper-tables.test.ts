import test from 'ava';
import { Entry } from '../../actors/entry.js';
import { HyperTables } from '../../actors/hyper-tables.js';
import type { Engine, HyperRows } from '../../native/engine.js';
import { optimizerNamed } from '../../src/core/optimizers/registry.js';
import { zeros } from '../../src/index.js';

/** Tables for an optimizer, what they tell the engine, and keys of two elements. */
function tablesFor(name: string, keys: number) {
  const told = new Map<number, HyperRows>();
  let tellings = 0;
  const setHyper = (table: number, rows: HyperRows): void => {
    told.set(table, rows);
    tellings += 1;
  };
  const tables = new HyperTables({ setHyper } as unknown as Engine);
  const optimizer = optimizerNamed(name);
  tables.begin({ optimizer, options: optimizer.resolve({ lr: 0.1 }) });
  const entries = Array.from({ length: keys }, (_, i) => {
    const like = zeros(2).handle();
    return new Entry(i, i, like, { data: like.data, rows: undefined });
  });
  return { tables, entries, told, tellings: () => tellings };
}

test('a key that the coordinator updates again and again needs one table', (t) => {
  const { tables, entries, told, tellings } = tablesFor('adam', 1);
  const [entry] = entries;
  for (entry!.count = 1; entry!.count <= 2560; entry!.count++) {
    const { first, values, width } = told.get(tables.of(entry!).table)!;
    const row = entry!.count - first;
    if (row < 0 || (row + 1) * width > values.length) t.fail(`no row for update ${entry!.count}`);
  }
  t.deepEqual([...told.keys()], [0]);
  t.is(tellings(), 10);
});

test('keys at different updates have tables of their own, and only those that are used up end', (t) => {
  const { tables, entries, told, tellings } = tablesFor('adam', 10);
  entries.forEach((entry, i) => (entry.count = 1 + 20 * i));
  const numbers = entries.map((entry) => tables.of(entry).table);
  t.is(new Set(numbers).size, 10);
  t.deepEqual(tables.exhausted(), []);
  entries[3]!.count += 256;
  t.deepEqual(tables.exhausted(), [entries[3]]);
  t.is(tables.of(entries[3]!).table, numbers[3]!);
  t.is(tellings(), 11);
  t.is(told.size, 10);
});

test('keys that stand at the same update share a table', (t) => {
  const { tables, entries, told } = tablesFor('adam', 10);
  for (let round = 1; round <= 5; round++) {
    for (const entry of entries) {
      entry.count += 256;
      tables.of(entry);
    }
  }
  t.true(told.size <= 2, `${told.size} tables`);
});

test('an optimizer that does not look at the number of the update has one row for all', (t) => {
  const { tables, entries, told } = tablesFor('sgd', 3);
  for (const entry of entries) entry.count = 1 + entry.order;
  t.deepEqual([...new Set(entries.map((entry) => tables.of(entry).table))], [0]);
  entries[0]!.count += 1e6;
  t.deepEqual(tables.exhausted(), []);
  t.is(told.get(0)!.values.length, told.get(0)!.width);
});
