import test from 'ava';
import { ones, optim, type KVStore } from '../../src/index.js';
import { openGroup } from '../helpers/groups.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { runChild } from '../helpers/workers.js';

test('a view of one worker stays while the others go on', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [a, b] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([a, b].map((kv) => kv.init(0, ones(10)))));
  const view = await group.finish(b.pull(0, { view: true }));
  await group.finish(Promise.all([a, b].map((kv) => kv.push(0, ones(10)))));
  t.deepEqual([view.data[0], view.version], [1, 0]);
  const next = await group.finish(a.pull(0, { view: true }));
  t.deepEqual([next.data[0], next.version], [2, 1]);
  t.is(a.stats().storeBytes, 80);
  view.release();
  await group.drain();
  t.is(a.stats().storeBytes, 80, 'the other buffer stays while the next view holds this one');
  next.release();
  await group.drain();
  t.is(a.stats().storeBytes, 40);
});

test('the views of a worker that is gone hold nothing', async (t) => {
  for (const cause of ['a fault', undefined]) {
    const group = await InlineGroup.open(t, { workers: 3, onDeath: 'continue' });
    const [a, b, c] = group.stores as [KVStore, KVStore, KVStore];
    await group.finish(Promise.all([a, b, c].map((kv) => kv.init(0, ones(10)))));
    const kept = await group.finish(a.pull(0, { view: true }));
    const view = await group.finish(c.pull(0, { view: true }));
    const twin = await group.finish(c.pull(0, { view: true }));
    await group.finish(Promise.all([a, b, c].map((kv) => kv.push(0, ones(10)))));
    await group.finish(c.pull(0, { view: true }));
    if (cause === undefined) await group.finish(c.close());
    else await group.depart(2, cause);
    t.is(a.stats().storeBytes, 80);
    kept.release();
    await group.drain();
    t.is(a.stats().storeBytes, 40);
    view.release(); // Too late to mean anything.
    twin.release();
    await group.drain();
    await group.finish(Promise.all([a, b].map((kv) => kv.push(0, ones(10)))));
    t.is(a.stats().storeBytes, 40);
  }
});

test('a view that a worker asked for and did not live to see holds nothing', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2, onDeath: 'restart' });
  const [a, b] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([a, b].map((kv) => kv.init(0, ones(10)))));
  const lost = [b.push(0, ones(10)), b.pull(0, { view: true })];
  for (const call of lost) call.catch(() => undefined);
  await group.drain();
  const next = await group.restart(1);
  await group.finish(Promise.all([a, next].map((kv) => kv.push(0, ones(10)))));
  t.is(a.stats().storeBytes, 40);
});

for (const side of ['engine', 'reference'] as const) {
  test(`a worker leaves while another holds a view, and pushes: ${side}`, async (t) => {
    const group = await openGroup(side, { type: 'dist_async', workers: 2, timeoutMs: 10_000 });
    const [a, b] = group.stores as [KVStore, KVStore];
    await Promise.all([a, b].map((kv) => kv.init(0, ones(10))));
    await a.setOptimizer(optim.sgd({ lr: 1 }));
    const first = await a.pull(0, { view: true });
    await a.push(0, ones(10)); // Goes to the key's other buffer.
    const second = await a.pull(0, { view: true });
    first.release();
    await b.close();
    await a.push(0, ones(10));
    await a.flush();
    t.deepEqual([second.data[0], second.version], [0, 1]);
    second.release();
    await a.push(0, ones(10));
    await t.throwsAsync(a.pull(1), { code: 'unknown_key' }); // Asks the coordinator.
    t.is((await a.pull(0)).data[0], -2);
    await group.close();
  });
}

test('views that nobody holds are released', async (t) => {
  const { code, stdout, stderr } = await runChild(`
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc');
    const kv = await lib.createKVStore('local');
    await kv.init(0, lib.ones(10));
    for (let i = 0; i < 20; i++) {
      await kv.pull(0, { view: true });
      await kv.push(0, lib.ones(10));
    }
    while (kv.stats().storeBytes > 80) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
      await kv.barrier();
    }
    await kv.close();
    console.log('released');
  `);
  t.is(stdout, 'released\n', stderr);
  t.is(code, 0);
});
