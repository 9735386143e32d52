import test from 'ava';
import { full, optim, tensor, zeros, type KVStore } from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

const keys = ['a', 'b', 'c'];

/** Weights of all keys, flat. */
async function weights(kv: KVStore): Promise<number[]> {
  return (await kv.pull(keys)).flatMap((each) => [...each.data]);
}

onEveryPlane(
  'O-clipGlobalNorm: the norm of all gradients of a call is clipped together',
  async (t, open) => {
    const kv = await open();
    await kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
    await kv.setOptimizer(optim.sgd({ lr: 1, rescaleGrad: 0.5, clipGlobalNorm: 3.5 }));
    // After rescaling 2, 3 and 6: the norm is 7, twice what is allowed.
    await kv.push(keys, [tensor([4]), [tensor([2]), tensor([4])], tensor([-12])]);
    t.deepEqual(await weights(kv), [-1, -1.5, 3]);
    // Each alone is short enough.
    for (const key of keys) await kv.push(key, tensor([6]));
    t.deepEqual(await weights(kv), [-4, -4.5, 0]);
    kv.optimizer.clipGlobalNorm = undefined;
    await kv.push(keys, [tensor([4]), tensor([6]), tensor([-12])]);
    t.deepEqual(await weights(kv), [-6, -7.5, 6]);
  },
);

onEveryPlane(
  'O-clipGlobalNorm: clipping works with every kind of optimizer and dtype',
  async (t, open) => {
    const kv = await open();
    await kv.init(['f', 'h'], [zeros([2, 2]), zeros(3, { dtype: 'float16' })]);
    for (const name of ['adam', 'lamb', 'lars', 'adafactor', 'schedulefreeadamw']) {
      await kv.setOptimizer(name, { clipGlobalNorm: 1 });
      const before = (await kv.pull('f')).toArray();
      await kv.push(['f', 'h'], [full([2, 2], 100), full(3, 100, { dtype: 'float16' })]);
      t.notDeepEqual((await kv.pull('f')).toArray(), before, name);
    }
  },
);

onEveryPlane('O-lossScale: gradients are divided by it', async (t, open) => {
  const kv = await open();
  await kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
  await kv.setOptimizer(optim.sgd({ lr: 1, lossScale: 8, clipGlobalNorm: 7 }));
  await kv.push(keys, [tensor([16]), tensor([24]), tensor([48])]);
  t.deepEqual(await weights(kv), [-2, -3, -6]);
});

onEveryPlane(
  'O-lossScale: a call with a gradient that is not finite is skipped as a whole',
  async (t, open) => {
    const kv = await open();
    await kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
    await kv.setOptimizer(optim.adam({ lr: 1, lossScale: 8 }));
    for (const bad of [NaN, Infinity, -Infinity]) {
      const updates = kv.stats().updates;
      await kv.push(keys, [tensor([16]), tensor([bad]), tensor([48])]);
      t.deepEqual(await weights(kv), [0, 0, 0]);
      t.is(kv.stats().updates, updates);
    }
    t.is(kv.optimizer.lossScale, 8);
    // The first step of Adam is its rate: no count was lost.
    await kv.push(keys, [tensor([16]), tensor([16]), tensor([48])]);
    for (const w of await weights(kv)) t.true(Math.abs(w + 1) < 1e-5);
  },
);

onEveryPlane('O-lossScale: it halves at a skip and doubles after the window', async (t, open) => {
  const kv = await open();
  await kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
  await kv.setOptimizer(optim.sgd({ lossScale: 1024, lossScaleWindow: 2 }));
  const scales: (number | undefined)[] = [];
  for (const x of [1, 1, Infinity, NaN, 1, 1, 1, 1, 1]) {
    await kv.push(keys, [tensor([1]), tensor([1]), tensor([x])]);
    scales.push(kv.optimizer.lossScale);
  }
  t.deepEqual(scales, [1024, 2048, 1024, 512, 512, 1024, 1024, 2048, 2048]);
});

onEveryPlane(
  'O-clipGlobalNorm O-lossScale: a call waits for all of its keys, and goes on without one that fails',
  async (t, open) => {
    const kv = await open('local', { memoryLimit: 24 });
    await kv.init(keys, [zeros(1), zeros(1), zeros(1)]);
    await kv.setOptimizer(optim.sgd({ lr: 1, clipGlobalNorm: 5 }));
    await Promise.all([
      kv.push('b', tensor([0])),
      kv.push(keys, [tensor([6]), tensor([8]), tensor([0])]),
      kv.push('a', tensor([0])),
    ]);
    t.deepEqual(await weights(kv), [-3, -4, 0]);
    await rejects(t, kv.push(['a', 'x'], [tensor([1]), tensor([1])]), {
      code: 'unknown_key',
      key: 'x',
    });
    t.deepEqual(await weights(kv), [-3, -4, 0]);
  },
);

for (const [name, options] of Object.entries({
  clipGlobalNorm: 0,
  lossScale: -1,
  lossScaleWindow: 0.5,
})) {
  test(`O: ${name} is checked`, (t) => {
    t.throws(() => optim.sgd({ [name]: options }), {
      code: 'bad_optimizer',
      message: new RegExp(name),
    });
  });
}

test('O-clipGlobalNorm D2: among workers the norm is that of the sums, and the keys of a call close at once', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [first, second] = group.stores as [KVStore, KVStore];
  const both = async (run: (kv: KVStore) => Promise<unknown>): Promise<void> =>
    void (await group.finish(Promise.all([first, second].map(run))));
  await both((kv) => kv.init(['a', 'b'], [zeros(1), zeros(1)]));
  await both((kv) => kv.setOptimizer(optim.sgd({ lr: 1, clipGlobalNorm: 5 })));
  const early = first.push(['a', 'b'], [tensor([2]), tensor([4])]);
  const one = second.push('a', tensor([4]));
  await group.drain();
  t.is(first.stats().updates, 0, 'the second worker has not pushed b');
  const two = second.push('b', tensor([4]));
  await group.finish(Promise.all([early, one, two]));
  t.deepEqual(
    (await group.finish(first.pull(['a', 'b']))).map((each) => each.data[0]),
    [-3, -4],
  );
});
