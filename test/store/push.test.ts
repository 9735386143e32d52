import { cpu, ones, tensor, zeros, type Key } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';

onEveryPlane('S2: a list of values is summed in order', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  // In any other order, or in double precision, the result is another float32.
  const values = [1e8, 1, -1e8, 0.1, 0.2];
  await kv.push(
    0,
    values.map((x) => tensor([x])),
  );
  t.is(
    (await kv.pull(0)).data[0],
    values.reduce((sum, x) => Math.fround(sum + Math.fround(x))),
  );
  await kv.push(
    0,
    values.toReversed().map((x) => tensor([x])),
  );
  const reversed = values.reduceRight((sum, x) => Math.fround(sum + Math.fround(x)));
  t.is((await kv.pull(0)).data[0], Math.fround(reversed));
});

onEveryPlane('S2: the length of a list may change at any time', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(3));
  for (const length of [4, 1, 8, 2, 100]) {
    await kv.push(
      0,
      Array.from({ length }, (_, i) => ones(3, { device: cpu(i) })),
    );
    t.deepEqual((await kv.pull(0)).toArray(), [length, length, length]);
  }
});

onEveryPlane('S2: a list of 200,000 values is a list like any other', async (t, open) => {
  const kv = await open('local', { coordinator: 'inline' });
  await kv.init(0, zeros(1));
  const one = ones(1);
  await kv.push(
    0,
    Array.from({ length: 200_000 }, () => one),
  );
  t.is((await kv.pull(0)).data[0], 200_000);
});

onEveryPlane('S2: the store and a pushed array never share elements', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(2));
  const value = tensor([1, 2]);
  await kv.push(0, value);
  value.fill(9);
  t.deepEqual((await kv.pull(0)).toArray(), [1, 2]);

  const list = [tensor([1, 2]), tensor([3, 4])];
  await kv.push(0, list);
  t.deepEqual(
    list.map((each) => each.toArray()),
    [
      [1, 2],
      [3, 4],
    ],
  );
});

for (const dtype of ['float32', 'float64', 'int32'] as const) {
  onEveryPlane(`S3: with no updater the sum replaces the stored ${dtype}`, async (t, open) => {
    const kv = await open();
    await kv.init('w', tensor([7, 7], { dtype }));
    await kv.push('w', tensor([1, 2], { dtype }));
    t.deepEqual((await kv.pull('w')).toArray(), [1, 2]);
    await kv.push('w', [tensor([1, 2], { dtype }), tensor([10, 20], { dtype })]);
    const pulled = await kv.pull('w');
    t.deepEqual(pulled.toArray(), [11, 22]);
    t.is(pulled.dtype, dtype);
    t.is(kv.stats().updates, 2);
  });
}

onEveryPlane('S3: sums of int32 wrap around', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1, { dtype: 'int32' }));
  const largest = tensor([2 ** 31 - 1], { dtype: 'int32' });
  await kv.push(0, [largest, tensor([1], { dtype: 'int32' })]);
  t.is((await kv.pull(0)).data[0], -(2 ** 31));
});

onEveryPlane('S3: NaN and infinities are values', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(3));
  await kv.push(0, [tensor([NaN, Infinity, Infinity]), tensor([1, 1, -Infinity])]);
  t.deepEqual([...(await kv.pull(0)).data], [NaN, Infinity, NaN]);
});

onEveryPlane('S4: one call pushes many keys, each a value or a list', async (t, open) => {
  const kv = await open();
  await kv.init([1, 2, 3], [zeros(1), zeros([2, 1]), zeros(1)]);
  const pair = [tensor([1]), tensor([2])];
  await kv.push([3, 1, 2], [pair, tensor([5]), [ones([2, 1])]], { priority: 3 });
  const pulled = await kv.pull([1, 2, 3]);
  t.deepEqual(
    pulled.map((each) => [...each.data]),
    [[5], [1, 1], [3]],
  );
});

onEveryPlane('S4: a key that stands twice is one sum and one update', async (t, open) => {
  const kv = await open();
  await kv.init(['a', 'b'], [zeros(1), zeros(1)]);
  const seen: [Key, number][] = [];
  await kv.setUpdater((key, input, stored) => {
    seen.push([key, input.data[0]!]);
    stored.add_(input);
  });
  const values = [tensor([1]), [tensor([10]), tensor([20])], tensor([100]), tensor([2])];
  await kv.push(['b', 'a', 'a', 'b'], values);
  t.deepEqual(seen, [
    ['a', 130],
    ['b', 3],
  ]);
  t.deepEqual(
    (await kv.pull(['a', 'b'])).map((each) => each.data[0]),
    [130, 3],
  );

  const outs = [zeros(1), zeros(1), zeros(1)];
  await kv.pull(['b', 'a', 'b'], { out: outs });
  t.deepEqual(
    outs.map((out) => out.data[0]),
    [3, 130, 3],
  );
});

onEveryPlane('S4: integer keys are updated in ascending order', async (t, open) => {
  const kv = await open();
  const keys = [10, 2, 33, 0, 100, 1];
  await kv.init(
    keys,
    keys.map(() => zeros(1)),
  );
  const seen: Key[] = [];
  await kv.setUpdater((key) => void seen.push(key));
  await kv.push(
    keys.toReversed(),
    keys.map(() => ones(1)),
  );
  t.deepEqual(seen, [0, 1, 2, 10, 33, 100]);
});

onEveryPlane('S4: string keys are updated in order of init', async (t, open) => {
  const kv = await open();
  const keys = ['z', '10', '9', 'b', 'a'];
  for (const key of keys) await kv.init(key, zeros(1));
  const seen: Key[] = [];
  await kv.setUpdater((key) => void seen.push(key));
  await kv.pushpull(
    keys.toSorted(),
    keys.map(() => ones(1)),
  );
  t.deepEqual(seen, keys);
});

onEveryPlane('S4: many more keys than updates at once still go in order', async (t, open) => {
  const kv = await open();
  const keys = Array.from({ length: 500 }, (_, i) => i);
  await kv.init(
    keys,
    keys.map(() => zeros(1)),
  );
  const seen: Key[] = [];
  await kv.setUpdater((key, input, stored) => {
    seen.push(key);
    stored.add_(input);
  });
  await kv.push(
    keys.toReversed(),
    keys.toReversed().map((key) => tensor([key])),
  );
  t.is(
    seen.findIndex((key, i) => key !== i),
    -1,
  );
  t.is(seen.length, keys.length);
  const pulled = await kv.pull(keys);
  t.is(
    pulled.findIndex((each, i) => each.data[0] !== i),
    -1,
  );
});

onEveryPlane('S11: priority is accepted and never changes the order on a key', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  const calls = [1, 2, 3].map((x) => kv.push(0, tensor([x]), { priority: x }));
  const out = zeros(1);
  calls.push(kv.pull(0, { out, priority: 100 }).then(() => undefined));
  await Promise.all(calls);
  t.is(out.data[0], 3);
});
