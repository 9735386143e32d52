import test from 'ava';
import { tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import { rejects } from '../helpers/workers.js';

/** A group whose workers have all initialised key 0 with one zero. */
async function groupWithKey(
  t: Parameters<typeof InlineGroup.open>[0],
  options: Parameters<typeof InlineGroup.open>[1],
): Promise<{ group: InlineGroup; stores: readonly KVStore[] }> {
  const group = await InlineGroup.open(t, options);
  await group.finish(Promise.all(group.stores.map((kv) => kv.init(0, zeros(1)))));
  return { group, stores: group.stores };
}

const one = (x: number): ReturnType<typeof tensor> => tensor([x]);

test('D1: every worker has its rank, the number of workers, and the same keys', async (t) => {
  const { stores } = await groupWithKey(t, { workers: 3 });
  t.deepEqual(
    stores.map(({ rank, numWorkers, type, keys }) => [rank, numWorkers, type, ...keys]),
    [0, 1, 2].map((rank) => [rank, 3, 'dist_sync', 0]),
  );
});

test('D2: a push ends when every worker has pushed, and not before', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 3 });
  const pushes = stores.map((kv, rank) => kv.push(0, one(10 ** rank)));
  const states = pushes.map(watch);
  for (const rank of [2, 0]) {
    await group.step(rank);
    t.deepEqual(
      states.map(({ settled }) => settled),
      ['no', 'no', 'no'],
    );
  }
  await group.step(1);
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['resolved', 'resolved', 'resolved'],
  );
  t.is((await group.finish(stores[1]!.pull(0))).data[0], 111);
  t.is(stores[0]!.stats().updates, 1);
});

test('D2: a second push of a worker belongs to the next round', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  const [a, b] = stores as [KVStore, KVStore];
  const early = [a.push(0, one(1)), a.push(0, one(10)), a.push(0, one(100))];
  const states = early.map(watch);
  await group.drain();
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['no', 'no', 'no'],
  );
  for (const [round, sum] of [3, 12, 102].entries()) {
    await group.finish(b.push(0, one(2)));
    t.is(states[round]!.settled, 'resolved');
    t.is((await group.finish(b.pull(0))).data[0], sum);
  }
});

test('D2: a pull sees the round of its worker, although others are ahead', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  const [a, b] = stores as [KVStore, KVStore];
  const outs = [zeros(1), zeros(1), zeros(1)];
  const calls = [1, 10].flatMap((x, i) => [a.push(0, one(x)), a.pull(0, { out: outs[i]! })]);
  await group.finish(b.push(0, one(2)));
  t.is(outs[0]!.data[0], 3);
  t.is(outs[1]!.data[0], 0, 'the pull behind the second push waits for the second round');
  t.is((await group.finish(b.pull(0, { out: outs[2]! }))).data[0], 3);
  await group.finish(b.push(0, one(3)));
  t.is(outs[1]!.data[0], 13);
  await group.finish(Promise.all(calls));
});

test('D2: a worker that has not pushed pulls the version before', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  const [a, b] = stores as [KVStore, KVStore];
  const push = a.push(0, one(5));
  t.is((await group.finish(b.pull(0))).data[0], 0);
  await group.finish(b.push(0, one(1)));
  await push;
  t.is((await group.finish(a.pull(0))).data[0], 6);
});

test('D2: the sum takes the ranks in ascending order, whoever came first', async (t) => {
  const values = [1e8, 0.1, -1e8, 0.7];
  const sum = values.map(Math.fround).reduce((x, y) => Math.fround(x + y));
  const { group, stores } = await groupWithKey(t, { workers: 4 });
  const orders = [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 3, 1],
  ];
  for (const order of orders) {
    const pushes = stores.map((kv, rank) => kv.push(0, one(values[rank]!)));
    await group.drain(order);
    await Promise.all(pushes);
    t.is((await group.finish(stores[3]!.pull(0))).data[0], sum);
  }
});

test('D2: lists of values of several workers are one sum', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  await group.finish(
    Promise.all([stores[1]!.push(0, one(4)), stores[0]!.push(0, [one(1), one(2)])]),
  );
  t.is((await group.finish(stores[0]!.pull(0))).data[0], 7);
});

test('D2: workers may push many keys in calls of different shape', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [a, b] = group.stores as [KVStore, KVStore];
  const keys = ['x', 'y', 'z'];
  const init = (kv: KVStore): Promise<void> => kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
  await group.finish(Promise.all([init(a), init(b)]));
  const whole = a.pushpull(keys, [one(1), one(2), one(3)]);
  const parts = [b.pushpull('z', one(30)), b.pushpull('y', one(20)), b.pushpull('x', one(10))];
  const [ofA, ...ofB] = await group.finish(Promise.all([whole, ...parts]));
  t.deepEqual(
    ofA.map((each) => each.data[0]),
    [11, 22, 33],
  );
  t.deepEqual(
    ofB.map((each) => each.data[0]),
    [33, 22, 11],
  );
});

test('D2: an updater function of rank 0 runs once a round', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  const seen: string[] = [];
  const setting = stores.map((kv, rank) =>
    kv.setUpdater((_, input, stored) => {
      seen.push(`rank ${rank}: ${input.data[0]}`);
      stored.add_(input, 2);
    }),
  );
  await group.finish(Promise.all(setting));
  for (let i = 0; i < 2; i++) {
    await group.finish(Promise.all(stores.map((kv) => kv.push(0, one(1)))));
  }
  t.deepEqual(seen, ['rank 0: 2', 'rank 0: 2']);
  t.is((await group.finish(stores[1]!.pull(0))).data[0], 8);
});

test('D2: an updater that throws fails everyone of that round and nobody else', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2 });
  const setting = stores.map((kv) =>
    kv.setUpdater((_, input, stored) => {
      stored.fill(99);
      if (input.data[0] === 3) throw new Error('three');
    }),
  );
  await group.finish(Promise.all(setting));
  const failing = stores.map((kv, rank) => kv.push(0, one(rank + 1)));
  failing.forEach(watch);
  await group.drain();
  for (const push of failing) {
    await rejects(t, push, { code: 'updater_error', key: 0, says: ['three'] });
  }
  t.is((await group.finish(stores[0]!.pull(0))).data[0], 0);
  await group.finish(Promise.all(stores.map((kv) => kv.push(0, one(1)))));
  t.is((await group.finish(stores[0]!.pull(0))).data[0], 99);
});

test('D3: dist_async makes a version of each push at once', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 3, type: 'dist_async' });
  const pushBefore = stores[1]!.push(0, one(1));
  watch(pushBefore);
  await group.drain();
  await rejects(t, pushBefore, { code: 'updater_required', key: 0, says: ['setUpdater'] });

  await group.finish(Promise.all(stores.map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  await group.finish(stores[2]!.push(0, [one(1), one(1)]));
  t.is(stores[2]!.stats().updates, 1);
  await group.finish(stores[2]!.push(0, one(1)));
  await group.finish(stores[0]!.push(0, one(10)));
  t.is(stores[0]!.stats().updates, 3);
  t.is((await group.finish(stores[1]!.pull(0))).data[0], -13);
});

test('D3: pushes that wait for a running update are still one version each', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 3, type: 'dist_async' });
  const seen: number[] = [];
  const setting = stores.map((kv) =>
    kv.setUpdater((_, input, stored) => {
      seen.push(input.data[0]!);
      stored.add_(input);
    }),
  );
  await group.finish(Promise.all(setting));
  const pushes = stores.map((kv, rank) => kv.push(0, one(10 ** rank)));
  await group.deliver();
  for (const rank of [1, 2, 0]) group.coordinator.step(rank); // No answer of the updater yet.
  await group.finish(Promise.all(pushes));
  t.deepEqual(seen, [10, 1, 100]);
  t.is(stores[0]!.stats().updates, 3);
});

test('D3: in dist_async nobody waits for anybody', async (t) => {
  const { group, stores } = await groupWithKey(t, { workers: 2, type: 'dist_async' });
  await group.finish(Promise.all(stores.map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  const waiting = stores[0]!.push(0, one(1));
  const out = await group.finish(stores[1]!.pushpull(0, one(5)));
  await waiting;
  t.is(out.data[0], -6);
  await group.depart(0, 'a fault');
  await group.finish(stores[1]!.push(0, one(1)));
  t.is(stores[1]!.numDeadNodes(), 1);
});
