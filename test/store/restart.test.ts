import test from 'ava';
import type { Worker } from 'node:worker_threads';
import { optim, tensor, zeros, type GroupEvent, type KVStore } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import { randomTest } from '../helpers/random-test.js';
import { isError, launchProgram, rejects } from '../helpers/workers.js';
import type { Mortal } from '../workers/mortal.js';

type Context = Parameters<typeof InlineGroup.open>[0];

async function groupWithKeys(t: Context, type = 'dist_sync'): Promise<InlineGroup> {
  const group = await InlineGroup.open(t, { workers: 3, type, onDeath: 'restart', staleness: 1 });
  await group.finish(
    Promise.all(group.stores.map((kv) => kv.init([0, 1], [tensor([5]), tensor([6])]))),
  );
  return group;
}

test('D6: restart: open rounds wait for the new incarnation', async (t) => {
  const group = await groupWithKeys(t);
  const [a, b] = group.stores as [KVStore, KVStore];
  const states = [a, b].map((kv, rank) => watch(kv.push(0, tensor([10 ** rank]))));
  await group.drain();
  const back = await group.restart(2, async () => {
    await group.drain();
    t.deepEqual([a.stats().live, a.numDeadNodes()], [2, 1]);
  });
  t.deepEqual([a.stats().live, a.numDeadNodes(), back.rank, a.numWorkers], [3, 0, 2, 3]);
  await group.drain();
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['no', 'no'],
  );
  await group.finish(back.push(0, tensor([100])));
  t.is((await group.finish(a.pull(0))).data[0], 111);
});

test('D6: restart: what the dead had not got an answer to is taken back', async (t) => {
  const group = await groupWithKeys(t);
  const [a, b, c] = group.stores as [KVStore, KVStore, KVStore];
  watch(c.pushpull([0, 1], [tensor([1000]), tensor([1000])]));
  watch(c.barrier());
  watch(c.setOptimizer('adam'));
  await group.finish(Promise.resolve());
  const back = await group.restart(2);
  const pushes = [a, b].map((kv) => watch(kv.push(0, tensor([1]))));
  await group.drain();
  t.is(pushes[0]!.settled, 'no');
  await group.finish(back.push(0, tensor([100])));
  t.deepEqual(
    (await group.finish(b.pull([0, 1]))).map(({ data }) => data[0]),
    [102, 6],
  );
});

test('D6: restart: late calls of an earlier incarnation are refused', async (t) => {
  const group = await groupWithKeys(t);
  const old = group.stores[2]!;
  const early = old.push(0, tensor([1000]));
  watch(early);
  await group.deliver();
  const back = await group.restart(2);
  const late = [early, old.push(0, tensor([1000])), old.init(7, zeros(1)), old.barrier()];
  late.forEach(watch);
  await group.drain();
  for (const call of late)
    await rejects(t, call, { code: 'peer_dead', rank: 2, says: ['earlier'] });
  const all = [...group.stores.slice(0, 2), back];
  await group.finish(Promise.all(all.map((kv) => kv.push(0, tensor([1])))));
  t.is((await group.finish(back.pull(0))).data[0], 3);
});

test('D6: restart: inits and settings of rank 0 leave what is there, new ones count', async (t) => {
  const group = await groupWithKeys(t);
  const first = [optim.sgd({ lr: 1, momentum: 0.5 }), optim.sgd({ lr: 1 })];
  const setUp = (kv: KVStore): Promise<unknown> =>
    Promise.all([kv.setOptimizer('adam'), kv.setOptimizer(first[0]!)]);
  await group.finish(Promise.all(group.stores.map(setUp)));
  const pushAll = (): Promise<unknown> =>
    group.finish(Promise.all(group.stores.map((kv) => kv.push(0, tensor([1])))));
  await pushAll();
  const back = await group.restart(0);
  t.deepEqual([back.keys, back.optimizer.name], [[0, 1], 'sgd']);
  const out = [zeros(1), zeros(1), zeros(1)];
  const values = [zeros(1), zeros(1), tensor([7])];
  await group.finish(back.broadcast([0, 1, 2], values, { out }));
  t.deepEqual(
    out.map(({ data }) => data[0]),
    [2, 6, 7],
  );
  await rejects(t, group.finish(back.init(0, zeros(1))), { code: 'duplicate_key', key: 0 });
  await group.finish(setUp(back));
  await pushAll();
  t.is((await group.finish(back.pull(0))).data[0], 2 - 3 - 1.5, 'the momentum is there');
  const more = Promise.all(group.stores.map((kv) => kv.setOptimizer(first[1]!)));
  await group.finish(more);
  await pushAll();
  t.is((await group.finish(back.pull(0))).data[0], -2.5 - 3);
});

test('D6: restart: a value that is not like what is there is refused, and changes nothing', async (t) => {
  const group = await groupWithKeys(t);
  const back = await group.restart(0);
  const wrong = back.init([2, 0], [zeros(1), zeros(2)]);
  watch(wrong);
  await group.drain();
  await rejects(t, wrong, { code: 'shape_mismatch', key: 0 });
  t.deepEqual(back.keys, [0, 1]);
  await group.finish(back.init([2, 0], [zeros(1), zeros(1)]));
});

test('D6: restart: others wait for what only rank 0 can give', async (t) => {
  const group = await groupWithKeys(t);
  const states: ReturnType<typeof watch>[] = [];
  const back = await group.restart(0, async () => {
    for (const kv of group.stores.slice(1)) {
      states.push(watch(kv.init(9, zeros(1))), watch(kv.setOptimizer('sgd')));
    }
    await group.drain();
  });
  t.true(states.every(({ settled }) => settled === 'no'));
  await group.finish(Promise.all([back.init(9, zeros(1)), back.setOptimizer('sgd')]));
  t.true(states.every(({ settled }) => settled === 'resolved'));
});

for (const type of ['dist_sync', 'dist_async', 'dist_ssp']) {
  test(`D6: restart: an updater function waits until its worker has set it again: ${type}`, async (t) => {
    const group = await groupWithKeys(t, type);
    const add = (kv: KVStore): Promise<void> =>
      kv.setUpdater((_, input, stored) => void stored.add_(input));
    await group.finish(Promise.all(group.stores.map(add)));
    const pushes = group.stores.map((kv, rank) => kv.push(0, tensor([10 ** rank])));
    pushes.forEach(watch);
    await group.deliver();
    for (const rank of [1, 2, 0]) group.coordinator.step(rank); // Rank 0's function has no answer yet.
    const back = await group.restart(0);
    const again = [watch(pushes[1]!), watch(pushes[2]!)];
    await group.drain();
    t.deepEqual(
      again.map(({ settled }) => settled),
      ['no', 'no'],
    );
    await group.finish(add(back));
    await group.finish(back.push(0, tensor([1])));
    await Promise.all(pushes.slice(1));
    t.is((await group.finish(back.pull(0))).data[0], 5 + 111);
  });
}

test('D6: restart: one that cannot come back is dead as under abort', async (t) => {
  const group = await groupWithKeys(t);
  const push = group.stores[0]!.push(0, tensor([1]));
  watch(push);
  await group.deliver();
  group.coordinator.depart(2, 'a fault', true);
  await group.drain();
  group.coordinator.depart(2, 'another fault', false);
  await rejects(t, push, { code: 'peer_dead', key: 0, rank: 2, says: ['another fault'] });
});

test('D4 D6: restart: in dist_ssp the clock of a worker outlives it', async (t) => {
  const group = await groupWithKeys(t, 'dist_ssp');
  const [a, b, c] = group.stores as [KVStore, KVStore, KVStore];
  await group.finish(Promise.all([a, b, c].map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  await group.finish(c.push(0, zeros(1)));
  const back = await group.restart(2);
  const ahead = watch(back.push(0, zeros(1)));
  await group.drain();
  t.is(ahead.settled, 'no', 'it is one ahead as before');
  await group.finish(Promise.all([a, b].map((kv) => kv.push(0, zeros(1)))));
  t.is(ahead.settled, 'resolved');
});

/** Rounds with deaths between any two messages end with the bits of rounds without any. */
async function bitsOf(
  t: Context,
  values: readonly number[],
  deaths: () => number,
): Promise<string> {
  const group = await groupWithKeys(t);
  const setUp = async (kv: KVStore): Promise<void> => {
    await kv.init([0, 1], [zeros(1), zeros(1)]).catch(() => undefined); // Has it from the start.
    await kv.setOptimizer(optim.adam({ lr: 0.1 }));
  };
  await group.finish(Promise.all(group.stores.map(setUp)));
  const versionOf = async (kv: KVStore, key: number): Promise<number> => {
    const view = await group.finish(kv.pull(key, { view: true }));
    view.release();
    return view.version;
  };
  const push = (kv: KVStore, key: number, round: number): void =>
    void watch(kv.push(key, tensor([values[round * 3 + kv.rank]! + key])));
  for (let round = 0; round < 5; round++) {
    for (const kv of group.stores) for (const key of [0, 1]) push(kv, key, round);
    const dying = deaths();
    if (dying >= 0) {
      for (let step = 0; step < dying % 4; step++) await group.step();
      const kv = await group.restart(dying % 3);
      await group.finish(setUp(kv));
      for (const key of [0, 1]) {
        if ((await versionOf(kv, key)) === round) push(kv, key, round);
      }
    }
    await group.drain();
  }
  const stored = await group.finish(group.stores[0]!.pull([0, 1]));
  return stored.map(({ data }) => data[0]).join();
}

randomTest(
  'D6: restart: deaths at any moment leave the bits as they were',
  60,
  async (t, random) => {
    const values = Array.from({ length: 15 }, () => random.float());
    const expected = await bitsOf(t, values, () => -1);
    t.is(await bitsOf(t, values, () => (random.chance(0.7) ? random.integer(12) : -1)), expected);
  },
);

const rounds = 30;
const points = ['start', 'set up', 'in a round', 'between rounds'] as const;
for (const how of ['throw', 'exit', 'terminate'] as const) {
  for (const rank of [0, 1]) {
    test.serial(`D6: restart on threads: rank ${rank} dies by ${how} at any point`, async (t) => {
      const threads: Worker[] = [];
      const note = (thread: Worker): void => void threads.push(thread);
      process.on('worker', note);
      t.teardown(() => process.off('worker', note));
      const args: Mortal = { how, rank, points, rounds };
      const restarts = { max: points.length };
      const options = {
        devices: 3,
        args,
        onDeath: 'restart',
        restarts,
        timeoutMs: 60_000,
      } as const;
      const group = await launchProgram<string>(t, 'mortal', options);
      const events: GroupEvent[] = [];
      for await (const event of group) {
        events.push(event);
        if (event.type !== 'report') continue;
        // The coordinator came first, then the devices, then their next lives.
        const lives = events.filter(({ type }) => type === 'restarted').length;
        await threads[lives === 0 ? 1 + rank : 3 + lives]!.terminate();
      }
      const restarted = events.flatMap((event) => (event.type === 'restarted' ? [event] : []));
      t.deepEqual(
        restarted.map((event) => [event.rank, event.incarnation]),
        points.map((_, i) => [rank, i + 1]),
      );
      for (const { cause } of restarted) {
        isError(t, cause, { code: 'peer_dead', rank, says: how === 'throw' ? ['a fault'] : [] });
      }
      const results = await group.done;
      t.deepEqual(
        results,
        Array.from({ length: 3 }, () => results[0]!),
      );
      const total = -3 * ((rounds * (rounds + 1)) / 2);
      t.is(results[0], `${total} ${total}`);
    });
  }
}

for (const point of ['in a round', 'between rounds'] as const) {
  test.serial(`D6: restart: one that stalls is started anew: ${point}`, async (t) => {
    const args: Mortal = { how: 'stall', rank: 1, points: [point], rounds };
    const options = { devices: 3, args, onDeath: 'restart', timeoutMs: 1500 } as const;
    const group = await launchProgram<string>(t, 'mortal', options);
    const causes: string[] = [];
    for await (const event of group) {
      if (event.type === 'restarted') causes.push(`${event.rank}: ${event.cause.message}`);
    }
    t.is(causes.length, 1);
    t.regex(
      causes[0]!,
      /^1: rank 1 was lost: did nothing for \d+ ms while others waited; timeoutMs is \d+$/,
    );
    const total = -3 * ((rounds * (rounds + 1)) / 2);
    t.deepEqual(await group.done, Array(3).fill(`${total} ${total}`));
  });
}

test.serial('D6: restart: one that stalls in every life is lost past the limit', async (t) => {
  const args: Mortal = { how: 'stall', rank: 1, points: Array(9).fill('between rounds'), rounds };
  const restarts = { max: 1, withinMs: 600_000 };
  const options = { devices: 2, args, onDeath: 'restart', restarts, timeoutMs: 1000 } as const;
  const group = await launchProgram<string>(t, 'mortal', options);
  const seen: string[] = [];
  for await (const { type, rank } of group) seen.push(`${type} ${rank}`);
  t.deepEqual(seen.slice(0, 2), ['restarted 1', 'lost 1']);
  await rejects(t, group.done, { code: 'peer_dead', rank: 1, says: ['did nothing for'] });
});

test.serial('D6: restart: past the limit a death ends as with abort', async (t) => {
  const args: Mortal = { how: 'throw', rank: 1, points: Array(9).fill('between rounds'), rounds };
  const restarts = { max: 2, withinMs: 600_000 };
  const options = { devices: 2, args, onDeath: 'restart', restarts } as const;
  const group = await launchProgram<string>(t, 'mortal', options);
  const types: string[] = [];
  for await (const { type } of group) types.push(type);
  t.deepEqual(
    types.filter((type) => type === 'restarted' || type === 'lost'),
    ['restarted', 'restarted', 'lost', 'lost'],
  );
  await rejects(t, group.done, { code: 'peer_dead', rank: 1, says: ['a fault'] });
});

test.serial('D6: stop ends a group whose devices die again and again', async (t) => {
  const args: Mortal = { how: 'exit', rank: 1, points: Array(1000).fill('start'), rounds };
  const options = { devices: 2, args, onDeath: 'restart', restarts: { max: 1000 } } as const;
  const group = await launchProgram<string>(t, 'mortal', options);
  for await (const { type } of group) if (type === 'restarted') break;
  await group.stop();
  await rejects(t, group.done, { code: 'closed' });
});
