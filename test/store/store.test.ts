import { createKVStore, KVStore, ones, tensor, zeros } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

onEveryPlane('S17: a store of one caller is rank 0 of 1 and has no dead', async (t, open) => {
  const kv = await open();
  t.is(kv.type, 'local');
  t.is(kv.rank, 0);
  t.is(kv.numWorkers, 1);
  t.is(kv.numDeadNodes(), 0);
  t.deepEqual(kv.keys, []);
  await kv.barrier();
  await Promise.all([kv.barrier(), kv.barrier(), kv.barrier()]);
  t.is(kv.stats().live, 1);
});

onEveryPlane('S17: isCapable answers what this release can do', async (t, open) => {
  const kv = await open();
  t.true(kv.isCapable('optimizer'));
  t.false(kv.isCapable('compression'));
  t.true(kv.isCapable('row_sparse'));
  for (const strange of ['Optimizer', 'constructor', '__proto__', '', 3, undefined]) {
    t.throws(() => kv.isCapable(strange as never), { code: 'unknown_capability' });
  }
});

onEveryPlane('S17: keys are told in order of init, as a copy', async (t, open) => {
  const kv = await open();
  await kv.init(['z', 'a'], [zeros(1), zeros(1)]);
  await kv.init('m', zeros(1));
  (kv.keys as string[]).push('x');
  t.deepEqual(kv.keys, ['z', 'a', 'm']);
});

onEveryPlane('S17: stats count keys, updates, bytes and traffic', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros(10), zeros([2, 5], { dtype: 'float64' })]);
  await kv.push(0, [ones(10), ones(10)]);
  await kv.pull(1, { out: zeros([2, 5]) });
  await kv.flush();
  const { keys, live, dead, updates, storeBytes, inFlight, ...traffic } = kv.stats();
  t.deepEqual([keys, live, dead, updates, storeBytes, inFlight], [2, 1, 0, 1, 120, 0]);
  t.deepEqual(traffic, { pushedTensors: 2, pushedBytes: 80, pulledTensors: 1, pulledBytes: 40 });
  await kv.setOptimizer('sgd', { momentum: 0.9 });
  await kv.push(1, ones([2, 5], { dtype: 'float64' }));
  await kv.barrier();
  t.is(kv.stats().storeBytes, 200, 'the momentum of key 1 counts');
  await kv.setUpdater(undefined);
  await kv.barrier();
  t.is(kv.stats().storeBytes, 120);
});

const names = [
  'local',
  'device',
  'local_update_cpu',
  'local_allreduce_cpu',
  'local_allreduce_device',
  'dist',
  'dist_sync',
  'dist_device_sync',
  'dist_sync_device',
];
onEveryPlane('S18: every name makes a store and stays its type', async (t, open) => {
  for (const name of names) {
    const kv = await open(name);
    t.is(kv.type, name);
    await kv.init(0, zeros(1));
    await kv.push(0, [ones(1), ones(1)]);
    t.is((await kv.pull(0)).data[0], 2, name);
  }
});

onEveryPlane('S18: names are taken in any case', async (t, open) => {
  for (const name of ['Local', 'LOCAL_ALLREDUCE_CPU', 'Dist_Sync']) {
    t.is((await open(name)).type, name.toLowerCase());
  }
});

onEveryPlane('S18: a dist store of one caller is a group of one', async (t, open) => {
  for (const name of ['dist_sync', 'dist_async', 'dist_async_device']) {
    const kv = await open(name);
    t.deepEqual([kv.rank, kv.numWorkers], [0, 1]);
    await kv.init('w', tensor([5]));
    await kv.setOptimizer('sgd', { lr: 1 });
    t.is((await kv.pushpull('w', ones(1))).data[0], 4);
  }
});

onEveryPlane('S19: calls after close reject, and close may be called again', async (t, open) => {
  const kv = await open();
  const value = ones(1);
  await kv.init(0, value);
  await kv.setOptimizer('sgd');
  const { optimizer } = kv;
  await Promise.all([kv.close(), kv.close()]);
  await kv.close();
  for (const call of [
    kv.init(1, value),
    kv.push(0, value),
    kv.pull(0),
    kv.pushpull(0, value),
    kv.broadcast(1, value, { out: value }),
    kv.setUpdater(undefined),
    kv.setOptimizer('sgd'),
    kv.barrier(),
  ]) {
    await rejects(t, call, { code: 'closed', says: ['open', 'closed'] });
  }
  await kv.flush();
  optimizer.lr = 3; // Void, and nobody is told: there is nothing left to update.
  t.deepEqual([kv.type, kv.rank, kv.numWorkers, kv.numDeadNodes()], ['local', 0, 1, 0]);
  t.deepEqual(kv.keys, [0]);
  t.is(value.data[0], 1);
});

onEveryPlane('S19: close waits for what a single caller has issued', async (t, open) => {
  const kv = await open();
  const out = zeros(1);
  const calls: Promise<unknown>[] = [kv.init(0, zeros(1))];
  for (let i = 0; i < 20; i++) calls.push(kv.push(0, tensor([i])));
  calls.push(kv.pull(0, { out }));
  await kv.close();
  t.is(out.data[0], 19);
  t.true((await Promise.allSettled(calls)).every(({ status }) => status === 'fulfilled'));
});

onEveryPlane('S19: close in the middle of an update ends that update first', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  let closing: Promise<void> | undefined;
  let updates = 0;
  await kv.setUpdater((_, input, stored) => {
    closing ??= kv.close();
    updates += 1;
    stored.add_(input);
  });
  const pushes = [kv.push(0, ones(1)), kv.push(0, ones(1))];
  await Promise.all(pushes);
  await closing;
  t.is(updates, 2);
});

onEveryPlane('S19: await using closes the store', async (t, open) => {
  const kv = await open();
  {
    await using same = kv;
    await same.init(0, zeros(1));
  }
  await rejects(t, kv.pull(0), { code: 'closed' });
});

onEveryPlane('S19: stores are independent of each other', async (t, open) => {
  const [a, b] = [await open(), await open()];
  await a.init(0, tensor([1]));
  await b.init('x', tensor([2]));
  await a.close();
  await b.push('x', tensor([3]));
  t.is((await b.pull('x')).data[0], 3);
});

onEveryPlane('S18: a store is a KVStore', async (t, open) => {
  t.true((await open()) instanceof KVStore);
  const kv = await createKVStore();
  t.is(kv.type, 'local');
  await kv.close();
});
