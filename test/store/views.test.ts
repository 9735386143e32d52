import {
  full,
  ones,
  tensor,
  TensorView,
  zeros,
  type KVStore,
  type Updater,
} from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { program, rejects } from '../helpers/workers.js';

const add: Updater = (_, input, stored) => void stored.add_(input);

/** Ways to make versions. */
const rules: Readonly<Record<string, (kv: KVStore) => Promise<void>>> = {
  replacing: (kv) => kv.setUpdater(undefined),
  function: (kv) => kv.setUpdater(add),
  module: (kv) => kv.setUpdater(program('updater-add')),
  sgd: (kv) => kv.setOptimizer('sgd', { lr: 1 }),
  momentum: (kv) => kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 }),
  adam: (kv) => kv.setOptimizer('adam', { lr: 0.1 }),
};

onEveryPlane('a view has the elements, shape, dtype and version of its key', async (t, open) => {
  const kv = await open();
  await kv.init(['a', 'b'], [tensor([1, 2]), zeros([2, 3], { dtype: 'float64' })]);
  const first = await kv.pull('a', { view: true });
  t.true(first instanceof TensorView);
  t.deepEqual([first.toArray(), first.version], [[1, 2], 0]);
  await kv.push('a', tensor([3, 4]));
  await kv.push('a', tensor([5, 6]));
  const [b, a] = await kv.pull(['b', 'a'], { view: true });
  t.deepEqual([b!.shape, b!.dtype, b!.version], [[2, 3], 'float64', 0]);
  t.deepEqual([a!.toArray(), a!.version], [[5, 6], 2]);
  t.deepEqual(first.toArray(), [1, 2]);
  t.regex(String(a), /\[5, 6\]/);
});

onEveryPlane('a view is the stored memory, not a copy of it', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(2000));
  const view = await kv.pull(0, { view: true });
  view.data[1999] = 7; // Not to be done: it shows that the memory is the same.
  t.is((await kv.pull(0)).data[1999], 7);
});

onEveryPlane('a view is read-only, and can be computed with', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1, 2]));
  const view = await kv.pull(0, { view: true });
  const writes = [
    () => view.add_(1),
    () => view.mul_(2),
    () => view.fill(3),
    () => view.copyFrom(ones(2)),
  ];
  for (const write of writes) t.throws(write, { code: 'bad_argument', message: /read-only/ });
  t.throws(() => view.handle(), { code: 'bad_argument', message: /own thread/ });
  t.deepEqual(view.add(1).toArray(), [2, 3]);
  t.deepEqual(view.mul(view).toArray(), [1, 4]);
  t.deepEqual(ones(2).add_(view).toArray(), [2, 3]);
  t.deepEqual(zeros(2).copyFrom(view).toArray(), [1, 2]);
  t.deepEqual(view.toArray(), [1, 2]);
});

onEveryPlane('after its release a view cannot be read', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1, 2]));
  let escaped: TensorView | undefined;
  {
    using view = await kv.pull(0, { view: true });
    t.false(view.isReleased);
    escaped = view;
  }
  t.true(escaped.isReleased);
  escaped.release();
  const released = { code: 'bad_argument', message: /version 0.*released/ } as const;
  t.throws(() => escaped.data, released);
  t.throws(() => escaped.add(1), released);
  t.throws(() => escaped.toArray(), released);
  t.throws(() => ones(2).add_(escaped), released);
  t.regex(String(escaped), /released/);
  const says = ['key 0', 'released'];
  await rejects(t, kv.push(0, escaped), { code: 'bad_argument', key: 0, says });
  await rejects(t, kv.init(1, escaped), { code: 'bad_argument', key: 1, says: ['released'] });
  t.deepEqual((await kv.pull(0)).toArray(), [1, 2]);
});

onEveryPlane('a view is a value of a push, and never an out', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [tensor([1, 2]), tensor([10, 20])]);
  const [own, other] = await kv.pull([0, 1], { view: true });
  await kv.push(0, [own!, other!, own!]);
  t.deepEqual((await kv.pull(0)).toArray(), [12, 24]);
  await kv.push(0, own!); // Bound to the port by now.
  t.deepEqual((await kv.pull(0)).toArray(), [1, 2]);
  await kv.init(2, own!);
  t.deepEqual((await kv.pull(2)).toArray(), [1, 2]);
  const says = ['key 0', 'outs', 'view'];
  for (const call of [
    kv.pull(0, { out: own! }),
    kv.pull(0, { out: [zeros(2), own!] }),
    kv.pushpull(0, own!),
    kv.pushpull(0, ones(2), { out: own! }),
  ]) {
    await rejects(t, call, { code: 'bad_argument', key: 0, says });
  }
  t.deepEqual(
    [own!.toArray(), other!.toArray()],
    [
      [1, 2],
      [10, 20],
    ],
  );
  const pushed = kv.push(1, own!);
  own!.release(); // What was issued has been read from it by then, or reads the memory still.
  await pushed;
});

for (const [rule, use] of Object.entries(rules)) {
  for (const guard of [undefined, 'finite'] as const) {
    const title = `a held view never changes, and its memory comes back: ${rule}`;
    onEveryPlane(guard ? `${title}, guard ${guard}` : title, async (t, open) => {
      const kv = await open('local', guard ? { guard } : {});
      await kv.init(0, ones(50));
      await use(kv);
      const push = (): Promise<void> => kv.push(0, [full(50, 1), full(50, 0.5)]);
      await push();
      await push();
      await kv.barrier();
      const baseline = kv.stats().storeBytes;
      const before = await kv.pull(0);
      const view = await kv.pull(0, { view: true });
      const twin = await kv.pull(0, { view: true });
      for (let i = 0; i < 3; i++) await push();
      t.deepEqual(view.toArray(), before.toArray());
      using now = await kv.pull(0, { view: true });
      t.is(now.version, 5);
      t.deepEqual(now.toArray(), (await kv.pull(0)).toArray());
      view.release();
      await kv.barrier();
      t.true(kv.stats().storeBytes > baseline, 'the twin holds the memory');
      t.deepEqual(twin.toArray(), before.toArray());
      twin.release();
      now.release();
      await push();
      await kv.barrier();
      t.is(kv.stats().storeBytes, baseline);
    });
  }
}

onEveryPlane('versions that no view holds are updated in place', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(100));
  await kv.setOptimizer('sgd', { lr: 1 });
  for (let i = 0; i < 5; i++) {
    using view = await kv.pull(0, { view: true });
    t.is(view.data[0], 0 - i);
    view.release();
    await kv.push(0, ones(100));
    await kv.barrier();
    t.is(kv.stats().storeBytes, 400);
  }
});

onEveryPlane('views in random interleavings never change', async (t, open) => {
  t.log(`TENSORKV_SEED=${seed}`);
  const random = new Random(seed);
  for (let run = 0; run < 4; run++) {
    const kv = await open();
    const keys = [0, 1, 2];
    await kv.init(
      keys,
      keys.map((key) => full(20, key)),
    );
    const baseline = kv.stats().storeBytes;
    const held: { readonly view: TensorView; readonly elements: number }[] = [];
    const wrong: string[] = [];
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 150; i++) {
      const key = random.pick(keys);
      const dice = random.next();
      if (dice < 0.45) calls.push(kv.push(key, full(20, random.integer(100))));
      else if (dice < 0.5) calls.push(rules[random.pick(Object.keys(rules))]!(kv));
      else if (dice < 0.7) {
        const [view, copy] = [kv.pull(key, { view: true }), kv.pull(key)];
        calls.push(view);
        const [got, { data }] = await Promise.all([view, copy]);
        if (got.data.some((x) => x !== data[0])) wrong.push(`version ${got.version} of ${key}`);
        held.push({ view: got, elements: data[0]! });
      } else if (dice < 0.9 && held.length > 0) {
        const { view, elements } = held.splice(random.integer(held.length), 1)[0]!;
        if (view.data.some((x) => x !== elements)) wrong.push(`step ${i}: ${view.version}`);
        view.release();
      } else {
        await Promise.all(calls.splice(0));
      }
    }
    await Promise.all(calls);
    for (const { view, elements } of held) {
      if (view.data.some((x) => x !== elements)) wrong.push(`at the end: ${view.version}`);
      view.release();
    }
    t.deepEqual(wrong, []);
    await kv.setUpdater(undefined);
    await kv.push(
      keys,
      keys.map(() => ones(20)),
    );
    await kv.barrier();
    t.is(kv.stats().storeBytes, baseline);
    await kv.close();
  }
});

onEveryPlane(
  'memory_limit: a held view may leave no room for the next version',
  async (t, open) => {
    const kv = await open('local', { memoryLimit: 100 });
    await kv.init(0, ones(20));
    const view = await kv.pull(0, { view: true });
    const says = ['update buffer', 'key 0', '80 bytes'];
    for (const use of [rules['replacing']!, rules['sgd']!, rules['function']!]) {
      await use(kv);
      await rejects(t, kv.push(0, ones(20)), { code: 'memory_limit', key: 0, says });
      t.is((await kv.pull(0)).data[0], 1);
    }
    t.is(view.data[0], 1);
    view.release();
    await kv.setUpdater(undefined);
    await kv.push(0, full(20, 2));
    t.is((await kv.pull(0)).data[0], 2);
  },
);

onEveryPlane('close releases the views that are held', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1, 2]));
  const view = await kv.pull(0, { view: true });
  await kv.push(0, tensor([3, 4]));
  const late = kv.pull(0, { view: true });
  await kv.close();
  t.true(view.isReleased);
  t.true((await late).isReleased);
  t.throws(() => view.data, { code: 'bad_argument', message: /released/ });
  view.release();
});

onEveryPlane('a view asks for nothing else, and for true or false', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  const bad: [object, string][] = [
    [{ view: true, out: zeros(1) }, 'out'],
    [{ view: true, average: true }, 'average'],
    [{ view: 1 }, 'got 1'],
    [{ view: null }, 'null'],
  ];
  for (const [options, words] of bad) {
    const says = ['view', words];
    await rejects(t, kv.pull(0, options as never), { code: 'bad_argument', says });
  }
  t.false((await kv.pull(0, { view: false } as never)) instanceof TensorView);
  await rejects(t, kv.pull([0, 7], { view: true }), { code: 'unknown_key', key: 7 });
});

onEveryPlane('a list of views that comes again is looked at again', async (t, open) => {
  const kv = await open();
  const keys = [0, 1, 2, 3];
  await kv.init(
    keys,
    keys.map(() => ones(4)),
  );
  const views = await kv.pull(keys, { view: true });
  const outs = keys.map(() => zeros(4));
  for (let i = 0; i < 3; i++) await kv.pushpull(keys, views, { out: outs });
  for (const view of views) view.release();
  const says = ['released'];
  await rejects(t, kv.pushpull(keys, views, { out: outs }), { code: 'bad_argument', key: 0, says });
});
