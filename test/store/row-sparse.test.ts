import test from 'ava';
import {
  createKVStore,
  cpu,
  full,
  ones,
  optim,
  rowSparse,
  RowSparseTensor,
  tensor,
  zeros,
  type KVStore,
  type Tensor,
} from '../../src/index.js';
import { dtypes } from '../../src/core/dtypes.js';
import { optimizerNames } from '../../src/core/optimizers/registry.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane, onInlinePlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { rejects } from '../helpers/workers.js';

const shape = [6, 2];

onEveryPlane('S14: a push adds the union of rows; a missing row is zero', async (t, open) => {
  const kv = await open();
  await kv.init('w', ones(shape));
  const a = rowSparse({
    shape,
    indices: [4, 1],
    rows: [
      [4, 4],
      [1, 1],
    ],
  });
  const b = rowSparse({
    shape,
    indices: [1, 2],
    rows: [
      [10, 10],
      [2, 2],
    ],
    device: cpu(1),
  });
  await kv.push('w', [a, b, a]);
  // Without an updater the sum replaces the stored tensor, missing rows too.
  t.deepEqual((await kv.pull('w')).toArray(), [
    [0, 0],
    [12, 12],
    [2, 2],
    [0, 0],
    [8, 8],
    [0, 0],
  ]);
  await kv.push('w', rowSparse({ shape, indices: [], rows: [] }));
  t.deepEqual((await kv.pull('w')).toArray(), zeros(shape).toArray());
});

onEveryPlane('S14: an updater sees the sum as a whole tensor', async (t, open) => {
  const kv = await open();
  await kv.init('w', ones(shape));
  await kv.setUpdater((_, input, stored) => void stored.add_(input, 2));
  await kv.push('w', rowSparse({ shape, indices: [5], rows: [[1, 2]] }));
  const rows = (await kv.pull('w')).toArray() as number[][];
  t.deepEqual(rows[5], [3, 5]);
  t.deepEqual(rows[0], [1, 1]);
});

onEveryPlane('S14: pullRows gives unique rows in ascending order', async (t, open) => {
  const kv = await open();
  await kv.init(
    'w',
    tensor([
      [0, 0.5],
      [1, 1.5],
      [2, 2.5],
      [3, 3.5],
    ]),
  );
  const rows = await kv.pullRows('w', {
    rowIds: [
      [3, 1],
      [3, 0],
    ],
  });
  t.true(rows instanceof RowSparseTensor);
  t.deepEqual([...rows.indices], [0n, 1n, 3n]);
  t.deepEqual(rows.rows.toArray(), [
    [0, 0.5],
    [1, 1.5],
    [3, 3.5],
  ]);
  t.deepEqual(rows.shape, [4, 2]);
  for (const rowIds of [Int32Array.of(2), [2n], tensor([2], { dtype: 'int64' }), 2]) {
    t.deepEqual((await kv.pullRows('w', { rowIds })).rows.toArray(), [[2, 2.5]]);
  }
  t.is((await kv.pullRows('w', { rowIds: [] })).nnz, 0);
  const out = zeros([2, 2], { dtype: 'float64' });
  t.is(await kv.pullRows('w', { rowIds: [2, 0, 2], out }), out as never);
  t.deepEqual(out.toArray(), [
    [0, 0.5],
    [2, 2.5],
  ]);
});

onEveryPlane('S14: pullRows sees the pushes before it', async (t, open) => {
  const kv = await open();
  await kv.init('w', zeros(shape));
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  const pulls = [1, 2, 3].map((x) => {
    void kv.push('w', rowSparse({ shape, indices: [x], rows: [[x, x]] }));
    return kv.pullRows('w', { rowIds: [1, 2, 3] });
  });
  t.deepEqual(
    (await Promise.all(pulls)).map(({ rows }) => rows.toArray()),
    [
      [
        [1, 1],
        [0, 0],
        [0, 0],
      ],
      [
        [1, 1],
        [2, 2],
        [0, 0],
      ],
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    ],
  );
});

onEveryPlane('S14: ids that are no rows are refused, and change nothing', async (t, open) => {
  const kv = await open();
  await kv.init('w', ones(shape));
  for (const rowIds of [[-1], [1.5], [NaN], [2 ** 60], Float64Array.of(-2)]) {
    await rejects(t, kv.pullRows('w', { rowIds }), { code: 'row_id_out_of_range' });
  }
  await rejects(t, kv.pullRows('w', { rowIds: [0, 6] }), {
    code: 'row_id_out_of_range',
    key: 'w',
    says: ['0 up to 5', '6'],
  });
  await rejects(t, kv.pullRows('x', { rowIds: [0] }), { code: 'unknown_key', key: 'x' });
  await rejects(t, kv.pullRows('w', { rowIds: ['1'] as never }), { code: 'bad_argument' });
  await rejects(t, kv.pullRows('w', null as never), { code: 'bad_argument' });
  await rejects(t, kv.pullRows('w', { rowIds: [0, 1], out: zeros([3, 2]) }), {
    code: 'shape_mismatch',
    key: 'w',
    says: ['[2, 2]', '[3, 2]'],
  });
  t.deepEqual((await kv.pull('w')).toArray(), ones(shape).toArray());
});

onEveryPlane('V3: values that do not fit are refused, and change nothing', async (t, open) => {
  const kv = await open();
  await kv.init('w', ones(shape));
  const value = rowSparse({ shape, indices: [1], rows: [[1, 1]] });
  await rejects(t, kv.push('w', [value, ones(shape)]), {
    code: 'stype_mismatch',
    key: 'w',
    says: ['1 dense', '1 row-sparse'],
  });
  await rejects(t, kv.push('w', rowSparse({ shape: [7, 2], indices: [1], rows: [[1, 1]] })), {
    code: 'shape_mismatch',
    key: 'w',
  });
  const doubles = rowSparse({ shape, indices: [1], rows: [[1, 1]], dtype: 'float64' });
  await rejects(t, kv.push('w', doubles), { code: 'dtype_mismatch', key: 'w' });
  await rejects(t, kv.pull('w', { out: value as never }), { code: 'bad_argument', key: 'w' });
  t.deepEqual((await kv.pull('w')).toArray(), ones(shape).toArray());
  t.true(kv.isCapable('row_sparse'));
  const device = await open('device');
  await device.init('w', ones(shape));
  await device.setGradientCompression({ type: '2bit' });
  await rejects(t, device.push('w', value), {
    code: 'unsupported',
    key: 'w',
    says: ['row-sparse'],
  });
});

for (const { name: dtype } of dtypes) {
  onInlinePlane(`V3: rows of ${dtype} are added`, async (t, open) => {
    const kv = await open();
    await kv.init('w', zeros(shape, { dtype }));
    const value = rowSparse({ shape, indices: [1, 3], rows: full([2, 2], 3, { dtype }) as Tensor });
    await kv.push('w', [value, value]);
    const pulled = await kv.pullRows('w', { rowIds: [0, 3] });
    t.deepEqual([...pulled.rows.toFloat32()], [0, 0, 6, 6]);
  });
}

/** Pushes the same sparse gradients to a store as they are, and as whole tensors to another. */
async function both(sparse: KVStore, dense: KVStore, steps: number, last?: number): Promise<void> {
  const random = new Random(seed);
  for (let step = 0; step < steps; step++) {
    const values = [0, 1].map(() => {
      const indices = [0, 1, 2, 3, 4, 5].filter((id) => id !== last && random.chance(0.5));
      const rows = indices.map(() => [random.next() - 0.5, random.next() - 0.5]);
      return rowSparse({ shape, indices, rows });
    });
    await sparse.push('w', values);
    await dense.push(
      'w',
      values.map((each) => each.toDense()),
    );
  }
}

for (const name of optimizerNames) {
  onInlinePlane(
    `S14 O-lazyUpdate: without it ${name} takes the steps of dense gradients`,
    async (t, open) => {
      t.log(`TENSORKV_SEED=${seed}`);
      const [sparse, dense] = [await open(), await open()];
      for (const kv of [sparse, dense]) {
        await kv.init('w', full(shape, 0.5));
        await kv.setOptimizer(name, { lr: 0.1, lazyUpdate: false });
      }
      await both(sparse, dense, 4);
      t.deepEqual((await sparse.pull('w')).toArray(), (await dense.pull('w')).toArray());
    },
  );
}

onEveryPlane(
  'S14 O-lazyUpdate: it leaves other rows, their decay and their momentum alone',
  async (t, open) => {
    const kv = await open();
    await kv.init('w', ones(shape));
    await kv.setOptimizer(optim.sgd({ lr: 0.5, momentum: 0.5, wd: 1 }));
    const push = (id: number) => kv.push('w', rowSparse({ shape, indices: [id], rows: [[1, 1]] }));
    await push(2);
    // g = 1 + 1, m = -1, w = 0.
    t.deepEqual((await kv.pull('w')).toArray(), [
      [1, 1],
      [1, 1],
      [0, 0],
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    await push(0);
    await push(2);
    // Row 2 goes on where it was: g = 1, m = -0.5 - 0.5, w = -1.
    t.deepEqual((await kv.pull('w')).toArray(), [
      [0, 0],
      [1, 1],
      [-1, -1],
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
  },
);

onEveryPlane(
  'S14: global-norm clipping and loss scaling count the rows that are there',
  async (t, open) => {
    const kv = await open();
    await kv.init(['w', 'v'], [zeros(shape), zeros([1])]);
    await kv.setOptimizer(optim.sgd({ lr: 1, clipGlobalNorm: 5, lossScale: 2 }));
    const value = (x: number) => rowSparse({ shape, indices: [1], rows: [[x, 0]] });
    await kv.push(['w', 'v'], [value(12), tensor([16])]);
    t.deepEqual((await kv.pullRows('w', { rowIds: [1] })).rows.toArray(), [[-3, 0]]);
    t.deepEqual((await kv.pull('v')).toArray(), [-4]);
    await kv.push(['w', 'v'], [value(NaN), tensor([16])]);
    t.deepEqual((await kv.pull('v')).toArray(), [-4]);
  },
);

test('S14: among workers the union is that of all of them', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const stores = group.stores as [KVStore, KVStore];
  const all = (run: (kv: KVStore, rank: number) => Promise<unknown>): Promise<unknown> =>
    group.finish(Promise.all(stores.map(run)));
  await all((kv) => kv.init('w', zeros(shape)));
  const value = (id: number) =>
    rowSparse({
      shape,
      indices: [id, 5],
      rows: [
        [1, 1],
        [2, 2],
      ],
    });
  await all((kv, rank) => kv.push('w', value(rank)));
  const rows = await group.finish(stores[1].pullRows('w', { rowIds: [0, 1, 2, 5] }));
  t.deepEqual(rows.rows.toArray(), [
    [1, 1],
    [1, 1],
    [0, 0],
    [4, 4],
  ]);
  const mixed = [stores[0].push('w', value(0)), stores[1].push('w', ones(shape))];
  const outcomes = await group.finish(Promise.allSettled(mixed));
  for (const outcome of outcomes) {
    t.is(outcome.status, 'rejected');
    t.like((outcome as PromiseRejectedResult).reason, {
      code: 'stype_mismatch',
      key: 'w',
      rank: 1,
    });
  }
  t.deepEqual((await group.finish(stores[0].pullRows('w', { rowIds: 5 }))).rows.toArray(), [
    [4, 4],
  ]);
});

test('S14: the buffers of sums are used again', async (t) => {
  const kv = await createKVStore('local', { coordinator: 'inline' });
  t.teardown(() => kv.close());
  const wide = [1000, 8];
  await kv.init('w', zeros(wide));
  await kv.setOptimizer('sgd');
  const random = new Random(seed);
  for (let i = 0; i < 20; i++) {
    const values = [0, 1].map(() => {
      const indices = Array.from({ length: 1000 }, (_, id) => id).filter(() => random.chance(0.3));
      return rowSparse({ shape: wide, indices, rows: indices.map(() => [1, 2, 3, 4, 5, 6, 7, 8]) });
    });
    await kv.push('w', values);
  }
  // Ids and rows of at most two sizes each.
  t.true(kv.stats().storeBytes <= 32_000 + 8 * (512 + 1024) + 4 * 8 * (512 + 1024));
  await kv.setOptimizer('sgd');
  t.is(kv.stats().storeBytes, 32_000);
});
