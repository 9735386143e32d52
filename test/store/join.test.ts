import test from 'ava';
import { optim, tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import type { Random } from '../helpers/random.js';
import { randomTest } from '../helpers/random-test.js';
import { launchProgram, rejects } from '../helpers/workers.js';
import type { Joining } from '../workers/joining.js';

type Context = Parameters<typeof InlineGroup.open>[0];

async function groupWithKeys(
  t: Context,
  options: Parameters<typeof InlineGroup.open>[1],
): Promise<InlineGroup> {
  const group = await InlineGroup.open(t, options);
  const values = [tensor([5]), tensor([6])];
  await group.finish(Promise.all(group.stores.map((kv) => kv.init([0, 1], values))));
  return group;
}

test('D7: a worker that joins has the next rank, and everybody sees the number of workers', async (t) => {
  const group = await groupWithKeys(t, { workers: 2 });
  const joined = await group.add();
  t.is(joined.rank, 2);
  t.deepEqual(
    group.stores.map(({ numWorkers, keys }) => [numWorkers, ...keys]),
    [
      [3, 0, 1],
      [3, 0, 1],
      [3, 0, 1],
    ],
  );
  t.is(group.stores[0]!.stats().live, 3);
});

test('D7: the rank of a worker that is gone is not given again', async (t) => {
  const group = await groupWithKeys(t, { workers: 2, onDeath: 'continue' });
  await group.finish(group.stores[1]!.close());
  const joined = await group.add();
  t.deepEqual([joined.rank, joined.numWorkers, joined.stats().live], [2, 3, 2]);
});

test('D7: init and settings of a worker that joins leave what is there', async (t) => {
  const group = await groupWithKeys(t, { workers: 1 });
  const [first] = group.stores as [KVStore];
  await group.finish(first.setOptimizer(optim.sgd({ lr: 1, momentum: 0.5 })));
  await group.finish(first.push(0, tensor([1])));
  const joined = await group.add();
  t.is(joined.optimizer.lr, 1);
  const setUp = async (): Promise<void> => {
    await joined.init([0, 1], [zeros(1), zeros(1)]);
    await joined.setOptimizer('adam');
  };
  await group.finish(setUp());
  const pulled = await group.finish(joined.pull([0, 1]));
  t.deepEqual(
    pulled.map(({ data }) => data[0]),
    [4, 6],
  );
  await group.finish(Promise.all(group.stores.map((kv) => kv.push(0, tensor([1])))));
  t.is((await group.finish(joined.pull(0))).data[0], 1.5, 'the momentum is there too');
  const late = joined.init(2, zeros(1));
  watch(late);
  await group.drain();
  await group.finish(Promise.all([first.init(2, tensor([7])), late]));
  t.is((await group.finish(joined.pull(2))).data[0], 7);
});

test('D7: rounds that are open need the new worker, those that have closed do not', async (t) => {
  const group = await groupWithKeys(t, { workers: 2 });
  const [a, b] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([a, b].map((kv) => kv.push(0, tensor([1])))));
  const open = a.push(0, tensor([1]));
  await group.drain();
  const joined = await group.add();
  const states = [watch(open), watch(b.push(0, tensor([10])))];
  await group.drain();
  t.deepEqual(
    states.map(({ settled }) => settled),
    ['no', 'no'],
  );
  await group.finish(joined.push(0, tensor([100])));
  await open;
  t.is((await group.finish(b.pull(0))).data[0], 111);
});

test('D7: a barrier waits for the new worker', async (t) => {
  const group = await groupWithKeys(t, { workers: 2 });
  const early = watch(group.stores[0]!.barrier());
  await group.drain();
  const joined = await group.add();
  const late = watch(group.stores[1]!.barrier());
  await group.drain();
  t.deepEqual([early.settled, late.settled], ['no', 'no']);
  await group.finish(joined.barrier());
  t.deepEqual([early.settled, late.settled], ['resolved', 'resolved']);
});

test('D4 D7: in dist_ssp a new worker starts where the slowest is', async (t) => {
  const options = { workers: 2, type: 'dist_ssp', staleness: 2 } as const;
  const group = await groupWithKeys(t, options);
  const [a, b] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([a, b].map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  await group.finish(Promise.all([a, b, a, b, a].map((kv) => kv.push(0, zeros(1)))));
  const joined = await group.add();
  const pushes = [1, 2].map(() => watch(a.push(0, zeros(1))));
  await group.drain();
  t.deepEqual(
    pushes.map(({ settled }) => settled),
    ['resolved', 'no'],
  );
  await group.finish(Promise.all([joined, b].map((kv) => kv.push(0, zeros(1)))));
  t.is(pushes[1]!.settled, 'resolved');
});

/**
 * Workers push unit vectors; each update notes its sum. Of every key each round holds a push of a
 * worker at most once, and a worker takes part in rounds without a gap.
 */
async function joinAtRandom(t: Context, random: Random): Promise<void> {
  const most = 5;
  const group = await InlineGroup.open(t, { workers: 1 + random.integer(2) });
  const rounds: number[][][] = [[], []];
  const setUp = async (kv: KVStore): Promise<void> => {
    await kv.init([0, 1], [zeros(most), zeros(most)]);
    await kv.setUpdater(
      (key, input) => void rounds[key as number]!.push([...input.data] as number[]),
    );
  };
  await group.finish(Promise.all(group.stores.map(setUp)));
  const left = new Set<number>();
  for (let step = 0; step < 80; step++) {
    const rank = random.integer(group.stores.length);
    const dice = random.next();
    if (dice < 0.4 && !left.has(rank)) {
      const unit = zeros(most);
      unit.data[rank] = 1;
      const keys = random.pick([[0], [1], [0, 1]]);
      watch(
        group.stores[rank]!.push(
          keys,
          keys.map(() => unit),
        ),
      );
    } else if (dice < 0.9) {
      await group.step(rank);
    } else if (dice < 0.97) {
      if (group.stores.length < most) await group.add();
    } else if (rank > 0 && !left.has(rank)) {
      left.add(rank);
      watch(group.stores[rank]!.close());
    }
  }
  await group.drain();
  for (const sums of rounds) {
    t.false(sums.some((sum) => sum.some((x) => x !== 0 && x !== 1)));
    for (let rank = 0; rank < most; rank++) {
      const takes = sums.map((sum) => sum[rank]).join('');
      t.regex(takes, /^0*1*0*$/, `rank ${rank}`);
    }
  }
}

randomTest('D7: joins at any moment tear no round', 200, joinAtRandom);

/** The stored bits after rounds with joins between them, the messages in an order by chance. */
async function bitsOf(t: Context, values: readonly number[], random: Random): Promise<number[]> {
  const group = await groupWithKeys(t, { workers: 2 });
  const optimizer = optim.adam({ lr: 0.1 });
  await group.finish(Promise.all(group.stores.map((kv) => kv.setOptimizer(optimizer))));
  for (let round = 0; round < 6; round++) {
    if (round % 2 === 1) await group.add();
    if (round === 4) await group.finish(group.stores[1]!.close());
    const members = group.stores.filter(({ rank }) => round < 4 || rank !== 1);
    const pushes = random
      .shuffled(members)
      .map((kv) => kv.push([0, 1], [tensor([values[kv.rank + round]!]), tensor([values[round]!])]));
    await group.drain(random.shuffled(members.map(({ rank }) => rank)));
    await Promise.all(pushes);
  }
  const stored = await group.finish(group.stores[0]!.pull([0, 1]));
  return stored.map(({ data }) => Number(data[0]));
}

randomTest('D7: the same values and the same joins give the same bits', 30, async (t, random) => {
  const values = Array.from({ length: 20 }, () => random.float());
  const [once, again] = [await bitsOf(t, values, random), await bitsOf(t, values, random)];
  t.deepEqual(once, again);
});

for (const type of ['dist_sync', 'dist_async', 'dist_ssp']) {
  for (const how of ['awaited', 'blocking', 'view'] as const) {
    test.serial(`D7: on threads workers join while others push: ${type}, ${how}`, async (t) => {
      const args: Joining = { how, rounds: 300, stops: zeros(1, { dtype: 'int32' }) };
      const group = await launchProgram<string>(t, 'joining', { devices: 2, type, args });
      const ranks: number[] = [];
      for await (const event of group) {
        if (event.type !== 'report') continue;
        if (ranks.length < 2) ranks.push(await group.add());
        else Atomics.store(args.stops.data as Int32Array, 0, 1);
      }
      t.deepEqual(ranks, [2, 3]);
      t.deepEqual(await group.done, ['well', 'well', 'well', 'well']);
      await rejects(t, group.add(), { code: 'closed' });
    });
  }
}

test.serial('D7: a worker that is added may be the only one left', async (t) => {
  const args: Joining = { how: 'awaited', rounds: 5, stops: tensor([1], { dtype: 'int32' }) };
  const group = await launchProgram<string>(t, 'joining', { devices: 1, args });
  t.is(await group.add(), 1);
  t.deepEqual(await group.done, ['well', 'well']);
});
