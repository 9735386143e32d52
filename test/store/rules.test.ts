import test from 'ava';
import { full, ones, optim, zeros } from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';

onEveryPlane('S12: a push goes by the updater in force when it was made', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  // Nothing is awaited between: the pushes wait for the function while the next one is set.
  const calls = [
    kv.setUpdater((_, input, stored) => void stored.add_(input, 1)),
    kv.push(0, ones(1)),
    kv.push(0, ones(1)),
    kv.setUpdater((_, input, stored) => void stored.add_(input, 100)),
    kv.push(0, ones(1)),
    kv.setOptimizer(optim.sgd({ lr: 1000 })),
    kv.push(0, ones(1)),
  ];
  await Promise.all(calls);
  t.is((await kv.pull(0)).data[0], 1 + 1 + 100 - 1000);
});

onEveryPlane('S13: a new optimizer starts with empty slots behind old pushes', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  await kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 });
  await kv.push(0, ones(1)); // m = -1, w = -1
  await Promise.all([
    kv.push(0, ones(1)), // m = -1.5, w = -2.5
    kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 }),
    kv.push(0, ones(1)), // m = -1, w = -3.5
  ]);
  t.is((await kv.pull(0)).data[0], -3.5);
  t.is(kv.stats().storeBytes, 8);
});

test('S13: an option changed after a push does not change its open round', async (t) => {
  const { stores, group } = await twoWorkers(InlineGroup.open(t, { workers: 2 }));
  const [first, second] = stores;
  const early = first.push(0, ones(1));
  await group.drain();
  first.optimizer.lr = 100;
  await group.drain();
  const late = second.push(0, ones(1));
  await group.finish(Promise.all([early, late]));
  t.is((await group.finish(first.pull(0))).data[0], -2);
  const next = stores.map((kv) => kv.push(0, full(1, 0.5)));
  await group.finish(Promise.all(next));
  t.is((await group.finish(first.pull(0))).data[0], -102);
});

/** Two workers of a group with key 0 and SGD of rate 1. */
async function twoWorkers(opening: Promise<InlineGroup>) {
  const group = await opening;
  const [first, second] = group.stores as [InlineGroup['stores'][0], InlineGroup['stores'][0]];
  const stores = [first, second] as const;
  await group.finish(Promise.all(stores.map((kv) => kv.init(0, zeros(1)))));
  await group.finish(Promise.all(stores.map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  return { group, stores };
}
