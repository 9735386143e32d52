import test from 'ava';
import { ones, tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import { rejects } from '../helpers/workers.js';

type Context = Parameters<typeof InlineGroup.open>[0];

async function groupWithKey(
  t: Context,
  onDeath: 'abort' | 'continue',
): Promise<[InlineGroup, KVStore, KVStore, KVStore]> {
  const group = await InlineGroup.open(t, { workers: 3, onDeath });
  await group.finish(Promise.all(group.stores.map((kv) => kv.init([0, 1], [zeros(1), zeros(1)]))));
  return [group, ...(group.stores as [KVStore, KVStore, KVStore])];
}

test('D6: abort: a death ends the rounds it is missing from and leaves the stored tensor', async (t) => {
  const [group, a, b] = await groupWithKey(t, 'abort');
  const pushes = [a.push(0, ones(1)), b.pushpull(0, ones(1))];
  pushes.forEach(watch);
  await group.drain();
  await group.depart(2, 'a fault');
  for (const push of pushes) {
    await rejects(t, push, {
      code: 'peer_dead',
      key: 0,
      rank: 2,
      says: ['round 0', 'key 0', 'rank 2', 'a fault'],
    });
  }
  t.is((await group.finish(a.pull(0))).data[0], 0);
  t.is(a.numDeadNodes(), 1);
  const later = b.push(0, ones(1));
  watch(later);
  await group.drain();
  await rejects(t, later, { code: 'peer_dead', key: 0, rank: 2 });
});

test('D6: abort: what a worker pushed before its death counts', async (t) => {
  const [group, a, b, c] = await groupWithKey(t, 'abort');
  watch(c.push(0, tensor([100])));
  await group.drain();
  await group.depart(2, 'a fault');
  await group.finish(Promise.all([a.push(0, tensor([1])), b.push(0, tensor([10]))]));
  t.is((await group.finish(b.pull(0))).data[0], 111);
});

test('D6: continue: rounds go on with those who are left', async (t) => {
  const [group, a, b] = await groupWithKey(t, 'continue');
  const pushes = [a.push(0, tensor([1])), b.push(0, tensor([10]))];
  pushes.forEach(watch);
  await group.drain();
  await group.depart(2, 'a fault');
  await Promise.all(pushes);
  t.is((await group.finish(a.pull(0))).data[0], 11);
  await group.finish(Promise.all([a.push(0, ones(1)), b.push(0, ones(1))]));
  await group.depart(1, 'another');
  await group.finish(a.push(1, tensor([7])));
  t.deepEqual(
    (await group.finish(a.pull([0, 1]))).map((each) => each.data[0]),
    [2, 7],
  );
  t.deepEqual([a.stats().live, a.stats().dead], [1, 2]);
});

test('a message that arrives after the death of its worker changes nothing', async (t) => {
  const [group, a, b, c] = await groupWithKey(t, 'continue');
  const late = [c.push(0, tensor([100])), c.init(2, zeros(1)), c.barrier()];
  late.forEach(watch);
  await group.depart(2, 'a fault');
  await group.drain();
  for (const call of late) await rejects(t, call, { code: 'peer_dead', rank: 2, says: ['died'] });
  await group.finish(Promise.all([a.push(0, ones(1)), b.push(0, ones(1))]));
  t.is((await group.finish(a.pull(0))).data[0], 2);
  await group.finish(Promise.all([a.barrier(), b.barrier()]));
});

test('the death of the worker whose updater runs fails that round', async (t) => {
  for (const onDeath of ['abort', 'continue'] as const) {
    const [group, a, b, c] = await groupWithKey(t, onDeath);
    const settings = [a, b, c].map((kv) =>
      kv.setUpdater((_, input, stored) => void stored.add_(input)),
    );
    await group.finish(Promise.all(settings));
    const pushes = [a, b, c].map((kv) => kv.push(0, ones(1)));
    pushes.forEach(watch);
    await group.deliver();
    // The third push closes the round: rank 0's function has run, its answer waits.
    for (const rank of [0, 1, 2]) group.coordinator.step(rank);
    await group.depart(0, 'a fault');
    const says = ['updater function', 'rank 0', 'a fault'];
    for (const push of pushes.slice(1)) {
      await rejects(t, push, { code: 'peer_dead', key: 0, rank: 0, says });
    }
    await group.drain();
    t.is((await group.finish(b.pull(0))).data[0], 0);
    const later = [b, c].map((kv) => kv.push(0, ones(1)));
    later.forEach(watch);
    await group.drain();
    for (const push of later) await rejects(t, push, { code: 'peer_dead', key: 0, rank: 0 });
  }
});

test('D6: abort: a barrier ends for all when one can no longer come', async (t) => {
  const [group, a, b] = await groupWithKey(t, 'abort');
  const barrier = a.barrier();
  watch(barrier);
  await group.drain();
  await group.depart(2, 'a fault');
  await rejects(t, barrier, { code: 'peer_dead', rank: 2, says: ['barrier', 'a fault'] });
  const later = b.barrier();
  watch(later);
  await group.drain();
  await rejects(t, later, { code: 'peer_dead', rank: 2 });
});

test('D6: continue: a barrier opens for those who are left', async (t) => {
  const [group, a, b] = await groupWithKey(t, 'continue');
  const barriers = [a.barrier(), b.barrier()];
  await group.drain();
  await group.depart(2, 'a fault');
  await Promise.all(barriers);
  t.pass();
});

test('without rank 0 nobody waits for its inits and settings', async (t) => {
  for (const cause of ['a fault', undefined]) {
    const [group, , b, c] = await groupWithKey(t, 'continue');
    const calls = [b.init(5, zeros(1)), c.setOptimizer('sgd')];
    calls.forEach(watch);
    const behind = b.pull(0);
    await group.drain();
    await group.depart(0, cause);
    const says = [cause === undefined ? 'left' : 'died (a fault)'];
    for (const call of calls) await rejects(t, call, { code: 'peer_dead', rank: 0, says });
    t.is((await group.finish(behind)).data[0], 0);
    const late = b.broadcast(6, zeros(1), { out: zeros(1) });
    watch(late);
    await group.drain();
    await rejects(t, late, { code: 'peer_dead', rank: 0 });
  }
});

test('a worker that left in good order is no longer waited for', async (t) => {
  const [group, a, b, c] = await groupWithKey(t, 'abort');
  const pushes = [a.push(0, ones(1)), b.push(0, ones(1))];
  await group.drain();
  await group.finish(c.close());
  await Promise.all(pushes);
  t.is((await group.finish(a.pull(0))).data[0], 2);
  t.is(a.numDeadNodes(), 0);
});

test('places among the pending updates pass on when rounds are given up', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [a, b] = group.stores as [KVStore, KVStore];
  const keys = Array.from({ length: 200 }, (_, i) => i);
  const tensors = keys.map(() => ones(1));
  await group.finish(Promise.all([a, b].map((kv) => kv.init(keys, tensors))));
  const settings = [a, b].map((kv) => kv.setUpdater((_, input, stored) => void stored.add_(input)));
  await group.finish(Promise.all(settings));
  const list = keys.slice(0, 150);
  const givenUp = [a, b].map((kv) => kv.push(list, tensors.slice(0, 150)));
  givenUp.forEach(watch);
  await group.deliver();
  group.coordinator.step(0);
  group.coordinator.step(1); // 64 updates are under way, 86 rounds wait for a place.
  await group.passAllDeadlines();
  for (const push of givenUp) {
    t.is(((await push.catch((error: unknown) => error)) as { code: string }).code, 'timeout');
  }
  await group.finish(Promise.all([a, b].map((kv) => kv.push(keys, tensors))));
  const pulled = await group.finish(a.pull(keys));
  t.is(
    pulled.findIndex((each) => each.data[0] !== 3),
    -1,
  );
});
