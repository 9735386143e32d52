import { join } from 'node:path';
import test from 'ava';
import {
  codec,
  cpu,
  createKVStore,
  full,
  KVStore,
  optim,
  tensor,
  zeros,
  type Tensor,
} from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { rejects } from '../helpers/workers.js';

const add = (_: unknown, input: Tensor, stored: Tensor): void => void stored.add_(input);

onEveryPlane(
  'S15: device compresses each pushed value, and keeps what is left per device',
  async (t, open) => {
    const kv = await open('device');
    await kv.init('w', zeros(3));
    await kv.setUpdater(add as never);
    await kv.setGradientCompression({ type: '2bit', threshold: 0.5 });
    const on = (index: number, ...x: number[]) => tensor(x, { device: cpu(index) });
    // Neither device says enough for a code of its own; their sum would.
    await kv.push('w', [on(0, 0.25, 0.5, 3), on(1, 0.25, -0.5, 3)]);
    t.deepEqual((await kv.pull('w')).toArray(), [0, 0, 1]);
    await kv.push('w', on(0, 0.25, 0, 0));
    t.deepEqual((await kv.pull('w')).toArray(), [0.5, 0, 1.5]);
    // Twice the same device in a push: one residual, in order.
    await kv.push('w', [on(1, 0, 0, 0), on(1, 0.25, 0, 0), on(1, 0, 0, 0)]);
    t.deepEqual((await kv.pull('w')).toArray(), [1, 0, 3]);
  },
);

onEveryPlane('S15: a dist store compresses the sum of a worker', async (t, open) => {
  const kv = await open('dist_sync');
  await kv.init('w', zeros(2));
  await kv.setGradientCompression({ type: '2bit', threshold: 0.5 });
  await kv.push('w', [
    tensor([0.25, 0.1], { device: cpu(0) }),
    tensor([0.25, 0.1], { device: cpu(1) }),
  ]);
  t.deepEqual((await kv.pull('w')).toArray(), [0.5, 0]);
  await kv.push('w', tensor([0, 0.4]));
  t.deepEqual((await kv.pull('w')).toArray(), [0, 0.5]);
});

test('S15: what is left is kept per worker', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const stores = group.stores as [KVStore, KVStore];
  const both = async (run: (kv: KVStore, rank: number) => Promise<unknown>): Promise<void> =>
    void (await group.finish(Promise.all(stores.map(run))));
  await both((kv) => kv.init('w', zeros(1)));
  await both((kv) => kv.setOptimizer(optim.sgd({ lr: 1 })));
  await both((kv) => kv.setGradientCompression({ type: '1bit' }));
  await both((kv, rank) => kv.push('w', full(1, rank === 0 ? 3 : -0.5)));
  t.is((await group.finish(stores[0].pull('w'))).data[0], 0, 'one plus and one minus');
  await both((kv) => kv.push('w', full(1, -1)));
  t.is((await group.finish(stores[0].pull('w'))).data[0], 0, '2 - 1 is above 0, 0.5 - 1 is not');
});

for (const type of ['2bit', '1bit'] as const) {
  onEveryPlane(`S15: random pushes add what the codec gives: ${type}`, async (t, open) => {
    t.log(`TENSORKV_SEED=${seed}`);
    const random = new Random(seed);
    const kv = await open('device');
    const { encode, decode } = codec(type);
    const length = 37;
    await kv.init('w', zeros(length));
    await kv.setUpdater(add as never);
    await kv.setGradientCompression({ type });
    const residuals = [0, 1, 2].map(() => new Float32Array(length));
    const expected = new Float32Array(length);
    for (let step = 0; step < 20; step++) {
      const values = Array.from({ length: 1 + random.integer(4) }, () => {
        const data = Float32Array.from({ length }, () => random.next() * 2 - 1);
        return tensor(data, { device: cpu(random.integer(3)) });
      });
      const before = values.map((value) => value.data.slice());
      await kv.push('w', values);
      const sum = new Float32Array(length);
      for (const value of values) {
        const codes = encode(value as Tensor<Float32Array>, residuals[value.device.index]!);
        decode(codes, length).forEach((x, i) => (sum[i]! += x));
      }
      sum.forEach((x, i) => (expected[i]! += x));
      t.deepEqual([...(await kv.pull('w')).data], [...expected]);
      values.forEach((value, k) => t.deepEqual(value.data, before[k]));
    }
  });
}

onEveryPlane('S15: a round that is not applied leaves what was left', async (t, open) => {
  const kv = await open('device');
  await kv.init('w', zeros(1));
  let fails = false;
  await kv.setUpdater((_, input, stored) => {
    if (fails) throw new Error('not now');
    stored.add_(input);
  });
  await kv.setGradientCompression({ type: '2bit' });
  await kv.push('w', full(1, 0.25));
  fails = true;
  await rejects(t, kv.push('w', full(1, 0.2)), { code: 'updater_error', key: 'w' });
  fails = false;
  await kv.push('w', full(1, 0.125));
  t.is((await kv.pull('w')).data[0], 0, '0.375 is left');
  await kv.push('w', full(1, 0.125));
  t.is((await kv.pull('w')).data[0], 0.5);
});

onEveryPlane(
  'S15: init and pull are not compressed, and compression can be ended',
  async (t, open) => {
    const kv = await open('device');
    await kv.setGradientCompression({ type: '2bit' });
    await kv.init('w', full(1, 0.3));
    t.is((await kv.pull('w')).data[0], Math.fround(0.3));
    await kv.push('w', full(1, 0.3));
    t.is((await kv.pull('w')).data[0], 0);
    await kv.setGradientCompression(undefined);
    await kv.push('w', full(1, 0.3));
    t.is((await kv.pull('w')).data[0], Math.fround(0.3));
    // Set anew, it starts with nothing left.
    await kv.setGradientCompression({ type: '2bit' });
    await kv.push('w', full(1, 0.3));
    t.is((await kv.pull('w')).data[0], 0);
  },
);

onEveryPlane('C3: init and pulls are never compressed', async (t, open) => {
  const kv = await open('device');
  await kv.setGradientCompression({ type: '1bit' });
  await kv.init('w', tensor([0.25, -7]));
  t.deepEqual((await kv.pull('w')).toArray(), [0.25, -7]);
  const out = zeros(2, { dtype: 'float64' });
  await kv.broadcast('v', tensor([0.125, 3]), { out });
  t.deepEqual(out.toArray(), [0.125, 3]);
});

onEveryPlane('C3: what cannot be compressed is refused', async (t, open) => {
  const local = await open('local');
  t.false(local.isCapable('compression'));
  await rejects(t, local.setGradientCompression({ type: '2bit' }), {
    code: 'unsupported',
    says: ['device', 'local'],
  });
  const kv = await open('device');
  t.true(kv.isCapable('compression'));
  await rejects(t, kv.setGradientCompression({ type: '4bit' as never }), {
    code: 'bad_compression',
    says: ['4bit'],
  });
  await kv.init(['w', 'd'], [zeros(1), zeros(1, { dtype: 'float64' })]);
  await kv.setGradientCompression({ type: '2bit' });
  const values = [full(1, 1), full(1, 1, { dtype: 'float64' })];
  const expected = { code: 'unsupported', key: 'd', says: ['float32', 'float64'] } as const;
  await rejects(t, kv.push(['w', 'd'], values), expected);
  t.deepEqual(
    (await kv.pull(['w', 'd'])).map((each) => each.data[0]),
    [0, 0],
  );
});

onEveryPlane('S15 S16: what is left goes into a checkpoint', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const kv = await open('device');
  await kv.init('w', zeros(2));
  await kv.setOptimizer(optim.adam({ clipGlobalNorm: 1 }));
  await kv.setGradientCompression({ type: '2bit' });
  const steps = (store: KVStore) =>
    [0.3, 0.4, 0.7].map((x) => store.push('w', tensor([x, -x], { device: cpu(1) })));
  await Promise.all(steps(kv));
  await kv.save(path);
  const again = await open('device');
  await again.load(path);
  for (const store of [kv, again]) await Promise.all(steps(store));
  t.deepEqual((await again.pull('w')).toArray(), (await kv.pull('w')).toArray());
  // A store that does not compress takes the rest.
  const local = await open('local');
  await local.load(path);
  t.is(local.optimizer.name, 'adam');
});

test('S15: buffers of compression are given back', async (t) => {
  const kv = await createKVStore('device', { coordinator: 'inline' });
  t.teardown(() => kv.close());
  await kv.init('w', zeros(1000));
  await kv.setGradientCompression({ type: '2bit' });
  await kv.push('w', full(1000, 0.3));
  const bytes = kv.stats().storeBytes;
  for (let i = 0; i < 10; i++) await kv.push('w', full(1000, 0.3));
  t.true(kv.stats().storeBytes <= bytes + 4000);
});
