import test from 'ava';
import { createKVStore, ones, tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup, watch, type InlineGroupOptions } from '../helpers/inline-group.js';
import { isError, launchProgram, rejects } from '../helpers/workers.js';
import type { Pace, Seen } from '../workers/pace.js';

/** A group of `dist_ssp` whose stored tensor is minus the sum of what was pushed. */
async function openGroup(
  t: Parameters<typeof InlineGroup.open>[0],
  options: Omit<InlineGroupOptions, 'type'>,
): Promise<{ group: InlineGroup; stores: readonly KVStore[] }> {
  const group = await InlineGroup.open(t, { type: 'dist_ssp', ...options });
  const start = async (kv: KVStore): Promise<void> => {
    await kv.init([0, 1], [zeros(1), zeros(1)]);
    await kv.setOptimizer('sgd', { lr: 1 });
  };
  await group.finish(Promise.all(group.stores.map(start)));
  return { group, stores: group.stores };
}

const settledOf = (states: readonly ReturnType<typeof watch>[]): string =>
  states
    .map(({ settled }) => (settled === 'resolved' ? '+' : settled === 'no' ? '.' : '-'))
    .join('');

for (const staleness of [1, 2, 5]) {
  test(`D4: a worker gets ${staleness} pushes ahead of the slowest, and no further`, async (t) => {
    const { group, stores } = await openGroup(t, { workers: 3, staleness });
    const [fast, slow, other] = stores as [KVStore, KVStore, KVStore];
    const pushes = Array.from({ length: staleness + 3 }, () => watch(fast.push(0, ones(1))));
    await group.drain();
    t.is(settledOf(pushes), '+'.repeat(staleness) + '...');
    t.is(fast.stats().updates, staleness, 'each push is one version, at once');
    await group.finish(slow.push(0, ones(1)));
    t.is(settledOf(pushes), '+'.repeat(staleness) + '...', 'another one is as slow');
    await group.finish(other.push(0, ones(1)));
    t.is(settledOf(pushes), '+'.repeat(staleness + 1) + '..');
    await group.finish(
      Promise.all([1, 2].flatMap(() => [slow, other].map((kv) => kv.push(0, ones(1))))),
    );
    t.is(settledOf(pushes), '+'.repeat(staleness + 3));
    t.is((await group.finish(slow.pull(0))).data[0], -(staleness + 3) - 6);
  });
}

test('D4: clocks are of keys: one that is ahead on a key may push another', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 1 });
  const states = [0, 0, 1, 1].map((key) => watch(stores[0]!.push(key, ones(1))));
  await group.drain();
  t.is(settledOf(states), '+.+.');
});

test('D4: a pull behind a push waits for what the others must have made, and sees it', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 0 });
  const [a, b] = stores as [KVStore, KVStore];
  const first = a.pushpull(0, tensor([1]));
  const state = watch(first);
  await group.drain();
  t.is(state.settled, 'no');
  const second = b.pushpull(0, tensor([10]));
  const ahead = watch(b.push(0, tensor([100])));
  await group.drain();
  t.deepEqual([(await first).data[0], (await second).data[0]], [-11, -11]);
  t.is(ahead.settled, 'no', 'nobody is ahead');
  t.is(a.stats().updates, 2);
});

test('D4: a pull of a worker that has not pushed does not wait', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 2 });
  await group.finish(stores[0]!.push(0, ones(1)));
  t.is((await group.finish(stores[1]!.pull(0))).data[0], -1);
});

test('D4: with staleness 0 all go in step: versions in the order of ranks', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 3, staleness: 0 });
  const seen: number[] = [];
  const record = stores.map((kv) =>
    kv.setUpdater((_, input, stored) => {
      seen.push(input.data[0]!);
      stored.add_(input);
    }),
  );
  await group.finish(Promise.all(record));
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const pushes = stores.map((kv, rank) => kv.push(0, tensor([rank])));
    await group.drain(order);
    await Promise.all(pushes);
  }
  t.deepEqual(seen, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
});

test('D4: the timeout of a push that waits names the slowest', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 3, staleness: 1 });
  await group.finish(stores[1]!.push(0, ones(1)));
  await group.finish(stores[0]!.push(0, ones(1)));
  const push = stores[0]!.push(0, ones(1));
  watch(push);
  await group.drain();
  await group.passAllDeadlines();
  const error = await rejects(t, push, { code: 'timeout', key: 0, rank: 2, says: ['rank 2'] });
  t.false(error.message.includes('rank 1'), error.message);
  // It was not applied, and does not count.
  await group.finish(stores[2]!.push(0, ones(1)));
  await group.finish(stores[0]!.push(0, ones(1)));
  t.is((await group.finish(stores[2]!.pull(0))).data[0], -4);
});

test('D4: the timeout of a pull that waits names the slowest', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 0 });
  const setting = stores.map((kv) => kv.setUpdater((_, input, stored) => void stored.add_(input)));
  await group.finish(Promise.all(setting));
  const [a, b] = stores as [KVStore, KVStore];
  const push = a.push(0, ones(1));
  const pull = a.pull(0);
  watch(pull);
  watch(b.push(0, ones(1)));
  // The last one is the answer to rank 0's update; rank 1's has none yet.
  for (const rank of [0, 0, 1, 0]) await group.step(rank);
  await push;
  await group.passAllDeadlines();
  await rejects(t, pull, { code: 'timeout', key: 0, rank: 1, says: ['rank 1'] });
});

for (const onDeath of ['abort', 'continue'] as const) {
  test(`D4: the death of the slowest ends the wait for it: ${onDeath}`, async (t) => {
    const { group, stores } = await openGroup(t, { workers: 3, staleness: 1, onDeath });
    await group.finish(stores[1]!.push(0, ones(1)));
    await group.finish(stores[0]!.push(0, ones(1)));
    const push = stores[0]!.push(0, ones(1));
    const state = watch(push);
    await group.drain();
    t.is(state.settled, 'no');
    await group.depart(2, 'a fault');
    if (onDeath === 'continue') {
      await push;
      t.is((await group.finish(stores[1]!.pull(0))).data[0], -3);
    } else {
      await rejects(t, push, { code: 'peer_dead', key: 0, rank: 2, says: ['a fault'] });
      t.is((await group.finish(stores[1]!.pull(0))).data[0], -2);
    }
  });
}

test('D4: what a worker pushed before its death counts', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 0 });
  watch(stores[1]!.push(0, tensor([100])));
  await group.drain();
  await group.depart(1, 'a fault');
  await group.finish(stores[0]!.push(0, ones(1)));
  t.is((await group.finish(stores[0]!.pull(0))).data[0], -101);
});

test('D4: the slowest leaves in good order, and the others go on', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 3, staleness: 1 });
  await group.finish(stores[1]!.push(0, ones(1)));
  const states = [1, 2, 3].map(() => watch(stores[0]!.push(0, ones(1))));
  await group.drain();
  t.is(settledOf(states), '+..');
  await group.finish(stores[2]!.close());
  t.is(settledOf(states), '++.');
});

test('D4: a push that an updater refuses counts as made', async (t) => {
  const { group, stores } = await openGroup(t, { workers: 2, staleness: 1 });
  const setting = stores.map((kv) =>
    kv.setUpdater((_, input) => {
      if (input.data[0] === 3) throw new Error('three');
    }),
  );
  await group.finish(Promise.all(setting));
  await group.finish(stores[0]!.push(0, ones(1)));
  const ahead = watch(stores[0]!.push(0, ones(1)));
  const refused = stores[1]!.push(0, tensor([3]));
  watch(refused);
  await group.drain();
  await rejects(t, refused, { code: 'updater_error', key: 0, says: ['three'] });
  t.is(ahead.settled, 'resolved');
});

test('D4: rules that span a call work where each worker is ahead on another key', async (t) => {
  const group = await InlineGroup.open(t, { type: 'dist_ssp', workers: 2, staleness: 1 });
  const [a, b] = group.stores as [KVStore, KVStore];
  const start = async (kv: KVStore): Promise<void> => {
    await kv.init([0, 1], [zeros(1), zeros(1)]);
    await kv.setOptimizer('sgd', { lr: 1, clipGlobalNorm: 1 });
  };
  await group.finish(Promise.all([a, b].map(start)));
  await group.finish(a.push(1, ones(1)));
  await group.finish(b.push(0, ones(1)));
  const both = [a, b].map((kv) => watch(kv.push([0, 1], [ones(1), ones(1)])));
  await group.drain();
  t.is(settledOf(both), '++');
});

test('D4: dist_ssp needs an updater or an optimizer', async (t) => {
  await using kv = await createKVStore('dist_ssp');
  await kv.init('w', zeros(1));
  await rejects(t, kv.push('w', ones(1)), { code: 'updater_required', key: 'w' });
  await kv.setOptimizer('sgd', { lr: 1 });
  for (let i = 0; i < 10; i++) await kv.push('w', ones(1)); // Nobody to wait for.
  t.is((await kv.pull('w')).data[0], -10);
});

test('D4: staleness is an integer from 0 up, for dist_ssp alone', async (t) => {
  for (const staleness of [-1, 0.5, NaN, Infinity, '2', null]) {
    const options = { staleness: staleness as number };
    const error = await t.throwsAsync(createKVStore('dist_ssp', options));
    isError(t, error, { code: 'bad_argument', says: ['staleness'] });
    const launched = launchProgram(t, 'pace', { devices: 1, type: 'dist_ssp', ...options });
    await rejects(t, launched, { code: 'bad_argument', says: ['staleness'] });
  }
  for (const type of ['local', 'dist_sync', 'dist_async'] as const) {
    const says = ['staleness', 'dist_ssp', type];
    await rejects(t, createKVStore(type, { staleness: 1 }), { code: 'bad_argument', says });
  }
});

for (const how of ['awaited', 'blocking', 'lists', 'view'] as const) {
  for (const staleness of [0, 2]) {
    test.serial(`D4: on threads nobody is more than ${staleness} ahead: ${how}`, async (t) => {
      const args: Pace = { how, staleness, rounds: 60 };
      const options = { devices: 3, type: 'dist_ssp', staleness, args, timeoutMs: 60_000 };
      const group = await launchProgram<Seen>(t, 'pace', options);
      for (const { problem, last } of await group.done) {
        t.is(problem, undefined);
        t.deepEqual(last, [60, 60, 60]);
      }
    });
  }
}
