import { join } from 'node:path';
import test from 'ava';
import {
  full,
  ones,
  optim,
  rowSparse,
  tensor,
  zeros,
  type KVStore,
  type RowSparseTensor,
} from '../../src/index.js';
import { momentOf } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed, optimizerNames } from '../../src/core/optimizers/registry.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane, onInlinePlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { rejects } from '../helpers/workers.js';

const shape = [60_000_000, 2];
const last = 59_999_999;

const value = (rows: Readonly<Record<number, readonly number[]>>): RowSparseTensor =>
  rowSparse({ shape, indices: Object.keys(rows).map(Number), rows: Object.values(rows) });

/** What a key holds, by id. */
async function held(kv: KVStore, key = 'w'): Promise<Record<string, unknown>> {
  const { indices, rows } = await kv.pullRows(key);
  const lists = rows.toArray() as number[][];
  return Object.fromEntries(Array.from(indices, (id, i) => [String(id), lists[i]]));
}

onEveryPlane('V3 S14: of 60 million rows a key holds the 3 that are there', async (t, open) => {
  const kv = await open();
  await kv.init('w', value({ 7: [7, 7], [last]: [1, 2], 3: [3, 3] }));
  t.is(kv.stats().storeBytes, 24);
  t.deepEqual(await held(kv), { 3: [3, 3], 7: [7, 7], [last]: [1, 2] });
  const rows = await kv.pullRows('w', { rowIds: [last, 5, 3] });
  t.deepEqual(rows.shape, shape);
  t.deepEqual(rows.rows.toArray(), [
    [3, 3],
    [0, 0],
    [1, 2],
  ]);
  const out = full([2, 2], 9, { dtype: 'float64' });
  await kv.pullRows('w', { rowIds: [7, 8], out });
  t.deepEqual(out.toArray(), [
    [7, 7],
    [0, 0],
  ]);
});

onEveryPlane('S14: without an updater a sum replaces the rows of a key', async (t, open) => {
  const kv = await open();
  await kv.init('w', value({ 1: [1, 1] }));
  await kv.push('w', [value({ 5: [5, 5], [last]: [1, 0] }), value({ 5: [0, 1], 2: [2, 2] })]);
  t.deepEqual(await held(kv), { 2: [2, 2], 5: [5, 6], [last]: [1, 0] });
  await kv.push('w', value({ 9: [9, 9] }));
  t.deepEqual(await held(kv), { 9: [9, 9] });
  await kv.push('w', value({}));
  t.deepEqual(await held(kv), {});
});

onEveryPlane('S14: an updater gets the rows that were pushed', async (t, open) => {
  const kv = await open();
  await kv.init('w', value({ 1: [1, 1] }));
  await kv.setUpdater((key, input, stored) => {
    t.deepEqual([key, input.shape, stored.shape], ['w', [2, 2], [2, 2]]);
    stored.add_(input, 2);
  });
  await kv.push('w', value({ 1: [1, 2], 4: [4, 4] }));
  t.deepEqual(await held(kv), { 1: [3, 5], 4: [8, 8] });
  await kv.setUpdater(() => {
    throw new Error('no');
  });
  await rejects(t, kv.push('w', value({ 6: [1, 1] })), { code: 'updater_error', key: 'w' });
  t.deepEqual(await held(kv), { 1: [3, 5], 4: [8, 8] });
});

onEveryPlane('S14: a pull writes a whole tensor, zeros where no row is', async (t, open) => {
  const kv = await open();
  const small = (indices: number[], rows: number[][]): RowSparseTensor =>
    rowSparse({ shape: [4, 2], indices, rows });
  const [out, wide] = [ones([4, 2]), ones([4, 2], { dtype: 'float64' })];
  await kv.broadcast('w', small([2], [[1, 2]]), { out: [out, wide] });
  const expected = [
    [0, 0],
    [0, 0],
    [1, 2],
    [0, 0],
  ];
  t.deepEqual(out.toArray(), expected);
  t.deepEqual(wide.toArray(), expected);
  t.deepEqual((await kv.pull('w')).toArray(), expected);
  await kv.setOptimizer(optim.sgd({ lr: 1, ema: 0.5 }));
  await kv.pushpull('w', small([0], [[2, 4]]), { out });
  t.deepEqual((out.toArray() as number[][])[0], [-2, -4]);
  t.deepEqual(((await kv.pull('w', { average: true })).toArray() as number[][])[0], [-1, -2]);
});

/** Whether an update of an element needs others: such optimizers take no lazy steps. */
function isWhole(name: string): boolean {
  const optimizer = optimizerNamed(name);
  const options = optimizer.resolve({});
  const target = { key: 'w', shape: [4, 3], count: 0, counters: optimizer.counters };
  return optimizer.step(options, momentOf(options, target)).kernel.whole;
}

/** Rows that are pushed in the order in which a key comes to hold them. */
const order = [40, 3, 59_000_000, 11, 12, 0, 7, 30, 31, 2];

for (const name of optimizerNames) {
  onInlinePlane(
    `O-${name} S14: rows of a sparse key go the way of a dense one`,
    async (t, open) => {
      t.log(`TENSORKV_SEED=${seed}`);
      const random = new Random(seed);
      const [sparse, dense] = [await open(), await open()];
      await sparse.init('w', value({}));
      await sparse.setUpdater(() => undefined);
      for (const id of order) await sparse.push('w', value({ [id]: [0, 0] }));
      await dense.init('w', zeros([order.length, 2]));
      for (const kv of [sparse, dense]) {
        const wd = name === 'groupadagrad' ? 0 : 0.01;
        await kv.setOptimizer(name, { lr: 0.1, wd, lazyUpdate: false });
      }
      for (let step = 0; step < 4; step++) {
        const rows = order.map(() => [random.next() - 0.5, random.next() - 0.5]);
        const some = order.map((_, i) => step === 0 || random.chance(0.5) || i === 0);
        const pushed = rows.map((row, i) => (some[i]! ? row : [0, 0]));
        await dense.push('w', tensor(pushed));
        const entries = order.map((id, i) => [id, rows[i]!] as const).filter((_, i) => some[i]!);
        await sparse.push('w', value(Object.fromEntries(entries)));
      }
      const lists = (await dense.pull('w')).toArray() as number[][];
      t.deepEqual(await held(sparse), Object.fromEntries(order.map((id, i) => [id, lists[i]!])));
    },
  );
}

onEveryPlane('S14: lazy updates of a sparse key are those of a dense one', async (t, open) => {
  t.log(`TENSORKV_SEED=${seed}`);
  for (const name of optimizerNames) {
    // Noise goes by the place of an element, and other places hold the rows here.
    if (name === 'sgld' || isWhole(name)) continue;
    const random = new Random(seed);
    const kv = await open();
    const rowCount = 100;
    const sizes = [rowCount, 3];
    const nothing = rowSparse({ shape: sizes, indices: [], rows: [], dtype: 'float16' });
    await kv.init(['dense', 'sparse'], [zeros(sizes, { dtype: 'float16' }), nothing]);
    await kv.setOptimizer(name, { lr: 0.1, wd: 0.1, multiPrecision: true, ema: 0.5 });
    for (let step = 0; step < 12; step++) {
      const pushed = [0, 1].map(() => {
        const indices = Array.from({ length: rowCount }, (_, id) => id).filter(() =>
          random.chance(0.1),
        );
        const rows = indices.map(() => [random.next(), random.next(), -random.next()]);
        return rowSparse({ shape: sizes, indices, rows, dtype: 'float16' });
      });
      await kv.push(['dense', 'sparse'], [pushed, pushed]);
    }
    for (const average of [false, true]) {
      const [a, b] = await kv.pull(['dense', 'sparse'], { average });
      t.deepEqual(b!.data, a!.data, `${name}, average ${average}`);
    }
  }
});

onEveryPlane(
  'S14: what does not fit a sparse key is refused, and changes nothing',
  async (t, open) => {
    const kv = await open('local', { guard: 'finite' });
    const start = value({ 5: [1, 2] });
    await kv.init(['w', 'dense'], [start, zeros([2])]);
    await kv.setOptimizer('sgd', { lr: 1 });
    const small = ones([2]);
    await rejects(t, kv.init('w', start), { code: 'duplicate_key', key: 'w' });
    await rejects(t, kv.push('w', ones([4, 2])), { code: 'shape_mismatch', key: 'w' });
    await rejects(t, kv.pull('w', { view: true }), { code: 'unsupported', key: 'w' });
    await rejects(t, kv.pullRows('w', { rowIds: [60_000_000] }), {
      code: 'row_id_out_of_range',
      key: 'w',
    });
    await rejects(t, kv.pullRows('w', { out: small } as never), { code: 'bad_argument' });
    await rejects(t, kv.push('w', value({ 5: [NaN, 0] })), { code: 'updater_error', key: 'w' });
    await rejects(t, kv.push('w', value({ 6: [0, Infinity], 7: [1, 1] })), {
      code: 'updater_error',
      key: 'w',
    });
    const half = rowSparse({ shape, indices: [1], rows: [[1, 1]], dtype: 'float16' });
    await rejects(t, kv.push('w', half), { code: 'dtype_mismatch', key: 'w' });
    t.deepEqual(await held(kv), { 5: [1, 2] });
    await kv.setUpdater(undefined);
    await rejects(t, kv.push('w', value({ 5: [NaN, 0] })), { code: 'updater_error', key: 'w' });
    t.deepEqual(await held(kv), { 5: [1, 2] });
  },
);

onEveryPlane('S14: a dense value for a sparse key is stype_mismatch', async (t, open) => {
  const kv = await open();
  const sparse = rowSparse({ shape: [4, 2], indices: [1], rows: [[1, 1]] });
  await kv.init('w', sparse);
  await rejects(t, kv.push('w', ones([4, 2])), { code: 'stype_mismatch', key: 'w' });
  await rejects(t, kv.pushpull('w', ones([4, 2])), { code: 'stype_mismatch', key: 'w' });
  t.deepEqual(await held(kv), { 1: [1, 1] });
});

onEveryPlane(
  'S14: a sparse key that grows past the memory limit stays as it was',
  async (t, open) => {
    const kv = await open('local', { memoryLimit: 4096 });
    await kv.init('w', value({ 1: [1, 1] }));
    await kv.setOptimizer('adam', { lr: 0.1 });
    await kv.push('w', value({ 1: [1, 1] }));
    const before = await held(kv);
    const many = value(Object.fromEntries(Array.from({ length: 200 }, (_, id) => [id, [1, 1]])));
    await rejects(t, kv.push('w', many), { code: 'memory_limit', key: 'w' });
    t.deepEqual(await held(kv), before);
    await kv.push('w', value({ 2: [1, 1], 3: [1, 1] }));
    t.deepEqual(Object.keys(await held(kv)), ['1', '2', '3']);
  },
);

for (const name of optimizerNames) {
  onInlinePlane(`O-${name} S16: a sparse key goes on from a file`, async (t, open) => {
    const folder = temporaryFolder(t);
    const [first, second, third] = [await open(), await open(), await open()];
    const push = (kv: KVStore, step: number): Promise<void> =>
      kv.push('w', value({ [50 - step]: [step, 1], [1000 * step]: [0.5, -step], 8: [1, 1] }));
    await first.init('w', value({ 9: [1, 2] }));
    await first.setOptimizer(name, { lr: 0.1, ema: 0.5 });
    for (const step of [1, 2, 3]) await push(first, step);
    await first.save(join(folder, 'store'));
    await first.saveOptimizerStates(join(folder, 'states'));
    await second.load(join(folder, 'store'));
    t.deepEqual(await held(second), await held(first));
    // Rows of the weights may come in another order than those of the states.
    await third.init('w', await first.pullRows('w'));
    await third.setOptimizer(name, { lr: 0.1, ema: 0.5 });
    await third.loadOptimizerStates(join(folder, 'states'));
    for (const kv of [first, second, third]) for (const step of [4, 5]) await push(kv, step);
    t.deepEqual(await held(second), await held(first));
    t.deepEqual(await held(third), await held(first));
  });
}

onEveryPlane('S16: a file whose rows do not fit changes nothing', async (t, open) => {
  const path = join(temporaryFolder(t), 'store');
  const [sparse, dense, other] = [await open(), await open(), await open()];
  await sparse.init('w', rowSparse({ shape: [4, 2], indices: [1], rows: [[1, 1]] }));
  await sparse.setOptimizer('adam');
  await sparse.save(path);
  await dense.init('w', ones([4, 2]));
  await rejects(t, dense.load(path), { code: 'bad_checkpoint', key: 'w' });
  t.deepEqual((await dense.pull('w')).toArray(), ones([4, 2]).toArray());
  await other.init('w', rowSparse({ shape: [4, 2], indices: [1, 2], rows: ones([2, 2]) }));
  await other.setOptimizer('adam');
  await rejects(t, other.loadOptimizerStates(path), { code: 'bad_checkpoint', key: 'w' });
  t.deepEqual(Object.keys(await held(other)), ['1', '2']);
});

test('D5 S14: every worker knows the sparse key of rank 0', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const stores = group.stores as [KVStore, KVStore];
  const all = (run: (kv: KVStore, rank: number) => Promise<unknown>): Promise<unknown> =>
    group.finish(Promise.all(stores.map(run)));
  await all((kv, rank) => kv.init('w', value({ [rank]: [rank, 1] })));
  await all((kv) => kv.setOptimizer('sgd', { lr: 1 }));
  await all((kv, rank) => kv.push('w', value({ [rank]: [1, 1], 9: [1, 2] })));
  const rows = await group.finish(stores[1].pullRows('w'));
  t.deepEqual([...rows.indices], [0n, 1n, 9n]);
  t.deepEqual(rows.rows.toArray(), [
    [-1, 0],
    [-1, -1],
    [-2, -4],
  ]);
  const joined = group.finish(
    Promise.allSettled([stores[0].init('v', zeros([2, 2])), stores[1].init('v', rowsOfTwo())]),
  );
  const [zero, one] = await joined;
  t.is(zero.status, 'fulfilled');
  t.like((one as PromiseRejectedResult).reason, { code: 'stype_mismatch', key: 'v' });
});

function rowsOfTwo(): RowSparseTensor {
  return rowSparse({ shape: [2, 2], indices: [0], rows: [[1, 1]] });
}
