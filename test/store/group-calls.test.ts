import test from 'ava';
import { ones, tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import { temporaryModule } from '../helpers/temporary.js';
import { program, rejects } from '../helpers/workers.js';

const threeWorkers = async (
  t: Parameters<typeof InlineGroup.open>[0],
  options: Partial<Parameters<typeof InlineGroup.open>[1]> = {},
): Promise<[InlineGroup, KVStore, KVStore, KVStore]> => {
  const group = await InlineGroup.open(t, { workers: 3, ...options });
  return [group, ...(group.stores as [KVStore, KVStore, KVStore])];
};

test("D5: rank 0's value counts, and the others wait for it", async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  const early = [b.init('w', tensor([2])), c.init('w', tensor([3]))];
  const states = early.map(watch);
  await group.drain();
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['no', 'no'],
  );
  t.deepEqual(b.keys, []);
  await group.finish(a.init('w', tensor([1])));
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['resolved', 'resolved'],
  );
  for (const kv of [a, b, c]) {
    t.deepEqual(kv.keys, ['w']);
    t.is((await group.finish(kv.pull('w'))).data[0], 1);
  }
});

test('D5: what a worker sends behind an init that waits stays in order', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  const outs = [zeros(1), zeros(1)];
  const calls = [
    b.init(0, tensor([9])),
    b.pull(0, { out: outs[0]! }),
    b.init([1, 2], [tensor([9]), tensor([9])]),
    b.pull(2, { out: outs[1]! }),
  ];
  const states = calls.map(watch);
  await group.finish(a.init([0, 1], [tensor([1]), tensor([2])]));
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['resolved', 'resolved', 'no', 'no'],
  );
  await group.finish(a.init(2, tensor([3])));
  await group.finish(Promise.all(calls));
  t.deepEqual(
    outs.map((out) => out.data[0]),
    [1, 3],
  );
  await group.finish(c.init([2, 0, 1], [zeros(1), zeros(1), zeros(1)]));
});

test('D5: a worker that inits a key twice, or unlike rank 0, is refused', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(Promise.all([a.init(0, zeros(2)), b.init(0, ones(2))]));
  const again = b.init(0, ones(2));
  watch(again);
  const unlike = c.init(0, ones(3));
  watch(unlike);
  await group.drain();
  await rejects(t, again, { code: 'duplicate_key', key: 0 });
  await rejects(t, unlike, { code: 'shape_mismatch', key: 0, says: ['[2]', '[3]'] });
  await group.finish(c.init(0, ones(2)));
});

test('D5: a refused broadcast of a worker may be repeated', async (t) => {
  const [group, a, b] = await threeWorkers(t);
  await group.finish(a.init(0, tensor([7, 8])));
  const bad = b.broadcast(0, zeros(2), { out: zeros(3) });
  watch(bad);
  await group.drain();
  await rejects(t, bad, { code: 'shape_mismatch', key: 0, says: ['out', '[3]'] });
  const out = await group.finish(b.broadcast(0, zeros(2), { out: zeros(2) }));
  t.deepEqual(out.toArray(), [7, 8]);
});

test('S8: a broadcast among workers pulls the value of rank 0', async (t) => {
  const [group, ...stores] = await threeWorkers(t);
  const outs = stores.map((kv, rank) => kv.broadcast('w', tensor([rank + 1]), { out: zeros(1) }));
  await group.drain([2, 1, 0]);
  t.deepEqual(
    (await Promise.all(outs)).map((out) => out.data[0]),
    [1, 1, 1],
  );
});

test('the barrier opens once every worker is there', async (t) => {
  const [group, ...stores] = await threeWorkers(t);
  const states: ReturnType<typeof watch>[] = [];
  for (const rank of [1, 2, 0]) {
    t.true(states.every(({ settled }) => settled === 'no'));
    states.push(watch(stores[rank]!.barrier()));
    await group.drain();
  }
  t.true(states.every(({ settled }) => settled === 'resolved'));
});

test('two barriers that a worker does not await are two barriers', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  const twice = [a.barrier(), a.barrier()].map(watch);
  const others = [b.barrier(), c.barrier()];
  await group.finish(Promise.all(others));
  t.deepEqual(
    twice.map(({ settled }) => settled),
    ['resolved', 'no'],
  );
  await group.finish(Promise.all([b.barrier(), c.barrier()]));
  t.is(twice[1]!.settled, 'resolved');
});

test('what a worker sends behind a barrier happens after it', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(Promise.all([a, b, c].map((kv) => kv.init(0, zeros(1)))));
  const calls = [a.barrier(), a.push(0, ones(1)), a.barrier()];
  await group.drain();
  const before = [b, c].map((kv) => kv.push(0, ones(1)));
  before.forEach(watch);
  await group.drain();
  t.is(a.stats().updates, 0);
  await group.finish(Promise.all([b.barrier(), c.barrier(), ...before]));
  t.is(a.stats().updates, 1);
  await group.finish(Promise.all([...calls, b.barrier(), c.barrier()]));
});

test("a setting of rank 0 counts, and the others' calls wait for it", async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(Promise.all([a, b, c].map((kv) => kv.init(0, zeros(1)))));
  const early = watch(b.setOptimizer('sgd', { lr: 5 }));
  const pushed = watch(b.push(0, ones(1)));
  await group.drain();
  t.is(early.settled, 'no');
  await group.finish(a.setOptimizer('sgd', { lr: 1 }));
  t.is(early.settled, 'resolved');
  t.deepEqual(
    [a, b, c].map((kv) => kv.optimizer.lr),
    [1, 1, 1],
  );
  await group.finish(Promise.all([a.push(0, ones(1)), c.push(0, ones(1))]));
  t.is(pushed.settled, 'resolved');
  t.is((await group.finish(c.pull(0))).data[0], -3);
});

test('the n-th setting of a worker has the outcome of the n-th of rank 0', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(a.init(0, zeros(1)));
  const missing = program('no-such-module');
  const settings = (kv: KVStore): Promise<void>[] => [
    kv.setUpdater(program('updater-add')),
    kv.setUpdater(missing),
    kv.setOptimizer('sgd'),
  ];
  const all = [b, a, c].flatMap((kv) => settings(kv).map(watch));
  // Modules are imported for real: rank 0's last setting ends after them.
  while (all.some(({ settled }) => settled === 'no')) {
    await group.drain();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const outcome = ['resolved', 'rejected', 'resolved'];
  t.deepEqual(
    all.map(({ settled }) => settled),
    [...outcome, ...outcome, ...outcome],
  );
  t.is(c.optimizer.name, 'sgd');
});

test('S13: a change of an option by any worker holds for all', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  const calls = [a, b, c].map(async (kv) => {
    await kv.init(0, zeros(1));
    await kv.setOptimizer('sgd', { lr: 1 });
  });
  await group.finish(Promise.all(calls));
  c.optimizer.lr = 2;
  await group.finish(c.flush());
  t.deepEqual(
    [a, b, c].map((kv) => kv.optimizer.lr),
    [2, 2, 2],
  );
  await group.finish(Promise.all([a, b, c].map((kv) => kv.push(0, ones(1)))));
  t.is((await group.finish(a.pull(0))).data[0], -6);
});

test('timeout: a push names the key and who is missing', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(Promise.all([a, b, c].map((kv) => kv.init([3, 4], [zeros(1), zeros(1)]))));
  const alone = b.push(3, ones(1));
  watch(alone);
  await group.drain();
  await group.passAllDeadlines();
  await rejects(t, alone, {
    code: 'timeout',
    key: 3,
    rank: 0,
    says: ['push of rank 1', 'key 3', 'rank 0, rank 2'],
  });

  // Key 3 is through, key 4 is what is missing; rank 1 itself is not.
  const list = b.pushpull([3, 4], [ones(1), ones(1)]);
  watch(list);
  const others = [a.push([3, 4], [ones(1), ones(1)]), c.push(3, ones(1))];
  others.forEach(watch);
  await group.drain();
  await group.passAllDeadlines();
  await rejects(t, list, { code: 'timeout', key: 4, rank: 2, says: ['key 4', 'missing: rank 2'] });
  await rejects(t, others[0]!, { code: 'timeout', key: 4, rank: 2 });
  await others[1];
  t.deepEqual(
    (await group.finish(a.pull([3, 4]))).map((each) => each.data[0]),
    [3, 0],
  );
});

test('timeout: inits, settings and barriers name who is missing', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  const init = b.init('w', zeros(1));
  const setting = c.setOptimizer('sgd');
  const barrier = a.barrier();
  [init, setting, barrier].forEach(watch);
  await group.drain();
  await group.passAllDeadlines();
  await rejects(t, init, { code: 'timeout', rank: 0, says: ['init of rank 1', 'rank 0'] });
  await rejects(t, setting, { code: 'timeout', rank: 0, says: ['setOptimizer of rank 2'] });
  await rejects(t, barrier, { code: 'timeout', rank: 1, says: ['barrier', 'rank 1, rank 2'] });
  await group.finish(Promise.all([a, b, c].map((kv) => kv.barrier())));
  await group.finish(Promise.all([a, b, c].map((kv) => kv.init('w', zeros(1)))));
});

test('leave: close takes back what a worker waits for, in order and all of it', async (t) => {
  const [group, a, b, c] = await threeWorkers(t);
  await group.finish(a.init(0, zeros(1)));
  const open = [c.push(0, ones(1)), c.init(1, zeros(1)), c.push(0, ones(1)), c.barrier()];
  open.forEach(watch);
  await group.finish(c.close());
  for (const call of open) await rejects(t, call, { code: 'closed', rank: 2 });
  t.deepEqual([a.stats().live, a.numDeadNodes()], [2, 0]);
  await group.finish(Promise.all([a.push(0, tensor([1])), b.push(0, tensor([4]))]));
  t.is((await group.finish(b.pull(0))).data[0], 5);
  await group.finish(Promise.all([a.barrier(), b.barrier()]));
});

test('leave: rank 0 takes its open settings back, and each follower hears of its own', async (t) => {
  const [group, a, b] = await threeWorkers(t);
  const text = 'await new Promise(() => {}); export default () => {};';
  const neverLoads = temporaryModule(t, text);
  const own = [a.setUpdater(neverLoads), a.setOptimizer('sgd')];
  own.forEach(watch);
  const follow = b.setOptimizer('sgd');
  watch(follow);
  await group.finish(a.close());
  for (const call of own) await rejects(t, call, { code: 'closed', rank: 0 });
  await rejects(t, follow, { code: 'closed', rank: 0 });
  t.throws(() => b.optimizer, { code: 'no_optimizer' });
});
