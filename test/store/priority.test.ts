import test from 'ava';
import { ones, tensor, zeros, type Key, type KVStore, type Tensor } from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';

/** Keys from 0 up, each one zero, and an updater function that tells in which order it saw them. */
async function recording(kv: KVStore, keys: number): Promise<Key[]> {
  const list = Array.from({ length: keys }, (_, key) => key);
  await kv.init(
    list,
    list.map(() => zeros(1)),
  );
  const seen: Key[] = [];
  await kv.setUpdater((key, input, stored) => {
    seen.push(key);
    stored.add_(input);
  });
  return seen;
}

onEveryPlane('S11: among keys that are ready the higher priority goes first', async (t, open) => {
  const kv = await open();
  const seen = await recording(kv, 6);
  const priorities = [0, -1, 7, 0.5, 7, -1e9];
  await Promise.all(priorities.map((priority, key) => kv.push(key, ones(1), { priority })));
  t.deepEqual(seen, [2, 4, 3, 0, 1, 5]);
});

onEveryPlane('S11: equal priorities go in the order of issue', async (t, open) => {
  const kv = await open();
  const seen = await recording(kv, 5);
  const order = [3, 1, 4, 0, 2];
  await Promise.all(order.map((key) => kv.push(key, ones(1), { priority: 5 })));
  t.deepEqual(seen.splice(0), order);
  await Promise.all(order.map((key) => kv.push(key, ones(1))));
  t.deepEqual(seen, order);
});

onEveryPlane('S11: a list has one priority, and its keys go in their order', async (t, open) => {
  const kv = await open();
  const seen = await recording(kv, 6);
  const pair = [ones(1), ones(1)];
  await Promise.all([
    kv.push([5, 0], pair),
    kv.pushpull([4, 1], pair, { priority: 1, out: [zeros(1), zeros(1)] }),
    kv.push([3, 2], pair, { priority: 2 }),
  ]);
  t.deepEqual(seen, [2, 3, 1, 4, 0, 5]);
});

onEveryPlane('S11: calls on one key stay in order, whatever their priorities', async (t, open) => {
  const kv = await open();
  const random = new Random(seed);
  t.log(`TENSORKV_SEED=${seed}`);
  await kv.init([0, 1], [zeros(1), zeros(1)]);
  const replace = (_: Key, input: Tensor, stored: Tensor): void => void stored.copyFrom(input);
  for (const updater of [undefined, replace]) {
    await kv.setUpdater(updater);
    const outs: Tensor[] = [];
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      const priority = random.integer(5) - 2;
      calls.push(kv.push(i % 2, tensor([i]), { priority }));
      outs.push(zeros(1));
      calls.push(kv.pull(i % 2, { out: outs[i]!, priority: random.integer(5) - 2 }));
    }
    await Promise.all(calls);
    t.is(
      outs.findIndex((out, i) => out.data[0] !== i),
      -1,
    );
  }
});

onEveryPlane('S11: a key with more to do stays ahead of a lower one', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [tensor([5]), zeros(1)]);
  const seen: Key[] = [];
  await kv.setUpdater((key, input, stored) => {
    seen.push(key);
    stored.add_(input);
  });
  const calls = [kv.push(0, ones(1)), kv.pull(0)];
  // One call waits for the function at a time, so the coordinator has handed out both keys first.
  for (let i = 0; i < 3; i++) calls.push(kv.push(1, ones(1), { priority: 1 }));
  await Promise.all(calls);
  t.deepEqual(seen.slice(0, 2), [1, 0]);
  t.is(seen.length, 4);
});

onEveryPlane('S11: pulls of a higher priority are served first', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1, 2], [tensor([10]), tensor([11]), tensor([12])]);
  const ended: number[] = [];
  const priorities = [0, -3, 4];
  await Promise.all(
    priorities.map(async (priority, key) => {
      await kv.pull(key, { priority });
      ended.push(key);
    }),
  );
  t.deepEqual(ended, [2, 0, 1]);
});

onEveryPlane(
  'S11: of more keys than updates at once the highest still go first',
  async (t, open) => {
    const kv = await open();
    const count = 200;
    const seen = await recording(kv, count);
    const keys = Array.from({ length: count }, (_, key) => key);
    await Promise.all(keys.map((key) => kv.push(key, ones(1), { priority: key })));
    t.is(
      seen.findIndex((key, i) => key !== count - 1 - i),
      -1,
    );
    t.is(seen.length, count);
  },
);

onEveryPlane('S11: with priorities every push of a call still reads first', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1, 2], [zeros(1), zeros(1), zeros(1)]);
  const [a, b, c] = [tensor([1]), tensor([10]), tensor([100])];
  const calls = [
    kv.push(2, c, { priority: 3 }),
    kv.pushpull([0, 1], [a, b], { out: [b, b], priority: -2 }),
  ];
  await Promise.all(calls);
  t.is(b.data[0], 10, 'key 1 is the last of the call to be written');
  t.is((await kv.pull(2)).data[0], 100);
});

test('S11: among workers the rounds that one message closes go by priority', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [a, b] = group.stores as [KVStore, KVStore];
  const keys = [0, 1, 2];
  const values = keys.map(() => ones(1));
  await group.finish(Promise.all([a, b].map((kv) => kv.init(keys, values))));
  const seen: Key[] = [];
  const record = (key: Key): void => void seen.push(key);
  await group.finish(Promise.all([a, b].map((kv) => kv.setUpdater(record))));
  const early = keys.map((key) => a.push(key, ones(1), { priority: key }));
  await group.drain();
  await group.finish(Promise.all([...early, b.push(keys, values)]));
  t.deepEqual(seen, [2, 1, 0]);
});
