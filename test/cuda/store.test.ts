import type { ExecutionContext } from 'ava';
import type { AddonCuda } from '../../native/cuda/addon-cuda.js';
import { cudaAddon } from '../../native/cuda/door.js';
import { optimizerNames, type OptimizerName } from '../../src/core/optimizers/registry.js';
import {
  cpu,
  createKVStore,
  full,
  ones,
  registerOptimizer,
  rowSparse,
  zeros,
  type AnyTensor,
  type Device,
  type DType,
  type KVStore,
  type KVStoreOptions,
  type StoreTypeName,
  type Tensor,
} from '../../src/index.js';
import {
  first,
  randomTensor,
  sameBits,
  second,
  serialCudaTest as test,
  standInTest,
  tameTensor,
} from '../helpers/cuda.js';
import { seed } from '../helpers/random.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { program, rejects } from '../helpers/workers.js';

await registerOptimizer('cudaheavyball', program('heavy-ball'));

const coordinators = ['thread', 'inline'] as const;

/** Opens a store; it is closed when the test ends. */
async function open(
  t: ExecutionContext,
  type: StoreTypeName,
  options: KVStoreOptions = {},
): Promise<KVStore> {
  const kv = await createKVStore(type, options);
  t.teardown(() => kv.close());
  return kv;
}

/** Runs the same calls with tensors on the CPU and on devices, and compares what they give. */
async function compare(
  t: ExecutionContext,
  what: string,
  run: (places: readonly [Device, Device, Device]) => Promise<readonly AnyTensor[]>,
): Promise<void> {
  const expected = await run([cpu(), cpu(1), cpu(2)]);
  const actual = await run([first, second, cpu(2)]);
  for (const [i, each] of expected.entries()) sameBits(t, actual[i]!, each, `${what}, tensor ${i}`);
}

const homes: readonly (readonly [StoreTypeName, Device['type']])[] = [
  ['local', 'cpu'],
  ['device', 'cuda'],
  ['dist_sync', 'cpu'],
  ['dist_device_sync', 'cuda'],
  ['dist_async', 'cpu'],
  ['dist_async_device', 'cuda'],
  ['dist_ssp', 'cpu'],
];
for (const [type, home] of homes) {
  for (const coordinator of coordinators) {
    test(`a key of ${type} made of a tensor on a device lives on the ${home} (${coordinator})`, async (t) => {
      const kv = await open(t, type, { coordinator });
      await kv.init('w', full([3], 2, { device: first }));
      await kv.setOptimizer('sgd', { lr: 0.5 });
      t.is((await kv.pull('w')).device.type, home);
      const outs = [zeros(3), zeros(3, { device: first }), zeros(3, { device: second })];
      const values = [ones(3), ones(3, { device: first }), ones(3, { device: second })];
      await kv.pushpull('w', values, { out: outs });
      for (const out of outs) t.deepEqual(out.toArray(), [0.5, 0.5, 0.5]);
      const cast = zeros(3, { dtype: 'int8', device: second });
      await kv.pull('w', { out: [cast, outs[0]!] });
      t.deepEqual(cast.toArray(), [0, 0, 0]);
      t.deepEqual((await kv.pull('w', { view: true })).toArray(), [0.5, 0.5, 0.5]);
    });
  }
}

const options: Partial<Record<OptimizerName, object>> = {
  sgd: { momentum: 0.9 },
  rmsprop: { centered: true },
  groupadagrad: { wd: 0 },
};
for (const name of optimizerNames) {
  for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] satisfies DType[]) {
    test(`${name} updates a key of ${dtype} on a device with the bits of the CPU`, async (t) => {
      for (const more of [{}, { multiPrecision: true, ema: 0.9, clipGradient: 0.5 }]) {
        await compare(t, name, async ([one, other, here]) => {
          const kv = await createKVStore('device', { coordinator: 'inline' });
          const shapes = [
            [33, 7],
            [64, 16],
          ] as const;
          const keys = shapes.map((_, i) => `k${i}`);
          await kv.init(
            keys,
            shapes.map((shape, i) => tameTensor(dtype, shape, seed + i).to(one)),
          );
          await kv.setOptimizer(name, { lr: 0.05, wd: 0.01, ...options[name], ...more });
          for (let step = 0; step < 3; step++) {
            const values = shapes.map((shape, i) =>
              [one, other, here].map((device, k) =>
                tameTensor(dtype, shape, seed + 100 * step + 10 * k + i).to(device),
              ),
            );
            await kv.push(keys, values);
          }
          const pulled = await kv.pull(keys);
          await kv.close();
          return pulled;
        });
      }
    });
  }
}

test('a sum of keys of every dtype, and what replaces them, has the bits of the CPU', async (t) => {
  const dtypes: readonly DType[] = ['float16', 'bfloat16', 'int8', 'uint8', 'int32', 'int64'];
  await compare(t, 'sum', async ([one, other, here]) => {
    const kv = await open(t, 'device');
    const keys = dtypes.map((_, i) => i);
    await kv.init(
      keys,
      dtypes.map((dtype, i) => randomTensor(dtype, [1001], seed + i).to(one)),
    );
    await kv.push(
      keys,
      dtypes.map((dtype, i) =>
        [other, one, here, one].map((device, k) =>
          randomTensor(dtype, [1001], seed + 10 * k + i).to(device),
        ),
      ),
    );
    return kv.pull(keys);
  });
});

for (const coordinator of coordinators) {
  test(`a call's gradients are clipped together, wherever they are (${coordinator})`, async (t) => {
    await compare(t, 'clip', async ([one, other, here]) => {
      const kv = await open(t, 'device', { coordinator });
      const places = [one, other, here];
      await kv.init(
        ['a', 'b', 'c'],
        places.map((device, i) => tameTensor('float32', [777], seed + i).to(device)),
      );
      await kv.setOptimizer('sgd', { lr: 0.1, clipGlobalNorm: 1, lossScale: 4 });
      for (let step = 0; step < 3; step++) {
        const values = places.map((device, i) =>
          tameTensor('float32', [777], seed + 9 * step + i).to(device),
        );
        if (step === 1) values[1]!.fill(Infinity); // The call is skipped.
        await kv.push(['a', 'b', 'c'], values);
      }
      return kv.pull(['a', 'b', 'c']);
    });
  });

  test(`a view of a key on a device never changes (${coordinator})`, async (t) => {
    const kv = await open(t, 'device', { coordinator });
    await kv.init('w', ones([1000], { device: first }));
    await kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 });
    const gradient = ones([1000], { device: first });
    const before = kv.stats().storeBytes;
    const view = await kv.pull('w', { view: true });
    t.deepEqual(view.device, first);
    await kv.push('w', gradient);
    using later = await kv.pull('w', { view: true });
    await kv.push('w', gradient);
    t.deepEqual([view.version, later.version], [0, 1]);
    t.deepEqual([view.toFloat32()[0], later.toFloat32()[0]], [1, 0]);
    t.is((await kv.pull('w')).toFloat32()[0], -1.5);
    await kv.push('w', view);
    t.is(view.toFloat32()[999], 1);
    view.release();
    later.release();
    await kv.push('w', gradient);
    await kv.push('w', gradient);
    t.is(kv.stats().storeBytes, before + 4000, 'one slot is left');
  });

  test(`an updater function sees tensors where the key lives (${coordinator})`, async (t) => {
    const kv = await open(t, 'device', { coordinator });
    await kv.init(['a', 'b'], [ones([2], { device: first }), ones([2])]);
    const seen: string[] = [];
    await kv.setUpdater((key, input, stored) => {
      seen.push(`${key} ${input.device.type} ${stored.device.type}`);
      stored.add_(input, 2);
      if (input.toFloat32()[0]! < 0) throw new RangeError('negative');
    });
    const outs = [zeros(2), zeros(2)];
    await kv.pushpull(['a', 'b'], [full([2], 3, { device: second }), full([2], 4)], { out: outs });
    t.deepEqual(
      outs.map(String),
      [7, 9].map((x) => String(full([2], x))),
    );
    t.deepEqual(seen, ['a cuda cuda', 'b cpu cpu']);
    await rejects(t, kv.push('a', full([2], -1)), { code: 'updater_error', key: 'a' });
    t.deepEqual((await kv.pull('a')).toArray(), [7, 7]);
    await kv.setUpdater(program('updater-add'));
    await kv.push('a', full([2], 1));
    await rejects(t, kv.push('a', full([2], -1)), { code: 'updater_error', key: 'a' });
    t.deepEqual((await kv.pull('a')).toArray(), [9, 9]);
  });
}

test('what the codecs leave out stays where the values are, and gives the bits of the CPU', async (t) => {
  for (const type of ['1bit', '2bit'] as const) {
    for (const store of ['device', 'dist_device_sync', 'dist_sync'] as const) {
      await compare(t, `${type} ${store}`, async ([one, other, here]) => {
        const kv = await open(t, store);
        await kv.init('w', tameTensor('float32', [1003], seed).to(one));
        await kv.setOptimizer('sgd', { lr: 0.1 });
        await kv.setGradientCompression({ type, threshold: 0.5 });
        for (let step = 0; step < 4; step++) {
          await kv.push(
            'w',
            [one, other, here].map((device, k) =>
              tameTensor('float32', [1003], seed + 10 * step + k).to(device),
            ),
          );
        }
        // One value at a time: of a worker they are one source, wherever they are.
        for (const [step, device] of [one, here, other, other, one].entries()) {
          await kv.push('w', tameTensor('float32', [1003], seed + 50 + step).to(device));
        }
        const path = `${temporaryFolder(t)}/compressed.safetensors`;
        await kv.save(path);
        await kv.load(path);
        const value = tameTensor('float32', [1003], seed + 60);
        await kv.push('w', value.to(store === 'device' ? one : other));
        return [await kv.pull('w')];
      });
    }
  }
});

standInTest('of a value that is elsewhere nothing but its codes moves to the key', async (t) => {
  const kv = await open(t, 'device', { coordinator: 'inline' });
  await kv.init('w', zeros([1600], { device: first }));
  await kv.setOptimizer('sgd', { lr: 1 });
  await kv.setGradientCompression({ type: '2bit' });
  const values = [first, second, cpu()].map((device) => ones([1600], { device }));
  const addon = cudaAddon() as { -readonly [Name in keyof AddonCuda]: AddonCuda[Name] };
  const { copy, upload } = addon;
  const moved: number[] = [];
  t.teardown(() => Object.assign(addon, { copy, upload }));
  addon.copy = (...args) => {
    moved.push(args[4]);
    copy(...args);
  };
  addon.upload = (source, ...place) => {
    moved.push(source.byteLength);
    upload(source, ...place);
  };
  for (let i = 0; i < 3; i++) await kv.push('w', values);
  t.deepEqual(moved, new Array(6).fill(400));
  t.is((await kv.pull('w')).toFloat32()[1599], -4.5);
});

test('guard: a version that is not finite is refused, and the key is as it was', async (t) => {
  const kv = await open(t, 'device', { guard: 'finite' });
  await kv.init('w', ones([100], { device: first }));
  for (const set of [
    () => kv.setUpdater(undefined),
    () => kv.setOptimizer('adam', { lr: 0.1 }),
    () => kv.setUpdater((_, input, stored) => void stored.add_(input)),
  ]) {
    await set();
    await kv.push('w', full([100], 2, { device: first }));
    const before = await kv.pull('w');
    const bad = ones([100]);
    bad.data[7] = NaN;
    const error = await rejects(t, kv.push('w', bad.to(first)), {
      code: 'updater_error',
      key: 'w',
    });
    t.regex(error.message, /got NaN as element 7/);
    sameBits(t, await kv.pull('w'), before, 'after');
  }
});

test('a store with keys on devices is saved and loaded, keys and states where they were', async (t) => {
  const path = `${temporaryFolder(t)}/store.safetensors`;
  const shape = [33, 5];
  const values = (device: Device, step: number): AnyTensor[] => [
    tameTensor('bfloat16', shape, seed + step).to(device),
  ];
  await compare(t, 'checkpoint', async ([one]) => {
    const kv = await open(t, 'device');
    await kv.init(['w'], [tameTensor('bfloat16', shape, seed).to(one)]);
    await kv.setOptimizer('adam', { lr: 0.1, multiPrecision: true });
    await kv.push(['w'], values(one, 1));
    await kv.save(path);
    await kv.push(['w'], values(one, 2));
    const after = await kv.pull('w');
    await kv.push(['w'], values(one, 3));
    await kv.load(path);
    t.deepEqual((await kv.pull('w')).device, one);
    await kv.push(['w'], values(one, 2));
    sameBits(t, await kv.pull('w'), after, 'as if nothing had been in between');
    const fresh = await open(t, 'device');
    await fresh.load(path);
    t.deepEqual((await fresh.pull('w')).device, cpu(), 'a file knows no devices');
    await fresh.push(['w'], values(one, 2));
    sameBits(t, await fresh.pull('w'), after, 'from a file');
    return [after];
  });
});

for (const optimizer of [undefined, 'sgd', 'adam', 'adafactor'] as const) {
  test(`a key stored row-sparse on a device has the bits of the CPU: ${optimizer}`, async (t) => {
    await compare(t, 'rows', async ([one, other, here]) => {
      const kv = await open(t, 'device');
      const shape = [1000, 3];
      const some = (ids: number[], device: Device, at: number): ReturnType<typeof rowSparse> =>
        rowSparse({
          shape,
          indices: ids,
          rows: tameTensor('float32', [ids.length, 3], at),
          device,
        });
      await kv.init('t', some([5, 1], one, seed));
      const dense = tameTensor('float32', shape, seed).to(one);
      await kv.init('d', dense);
      if (optimizer !== undefined) await kv.setOptimizer(optimizer, { lr: 0.1 });
      for (let step = 0; step < 4; step++) {
        const push = [
          some([7, 5, 999], one, seed + step),
          some([8 + step, 5], other, seed + 10 + step),
          some([0, 7], here, seed + 20 + step),
        ];
        await kv.push(['t', 'd'], [push, push]);
      }
      const out = zeros([3, 3]);
      await kv.pullRows('t', { rowIds: [0, 7, 500], out });
      const held = await kv.pullRows('t');
      t.deepEqual(held.device.type, one.type);
      const some2 = await kv.pullRows('d', { rowIds: [999, 5] });
      const whole = zeros(shape, { device: other });
      await kv.pull('t', { out: whole });
      return [out, held.rows, some2.rows, whole, await kv.pull('d')];
    });
  });
}

test('memoryLimit counts what lies on devices', async (t) => {
  const kv = await open(t, 'device', { memoryLimit: 10_000 });
  await kv.init('w', zeros([1000], { device: first }));
  t.is(kv.stats().storeBytes, 4000);
  await rejects(t, kv.init('x', zeros([2000], { device: first })), {
    code: 'memory_limit',
    key: 'x',
  });
  await kv.setOptimizer('adam');
  await rejects(t, kv.push('w', ones([1000], { device: first })), {
    code: 'memory_limit',
    key: 'w',
  });
  await kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 });
  await kv.push('w', ones([1000], { device: first }));
  t.is((await kv.pull('w')).toFloat32()[0], -1);
});

test('keys on devices and others take part in one call', async (t) => {
  const kv = await open(t, 'device');
  const keys = Array.from({ length: 50 }, (_, i) => i);
  const places = [first, second, cpu()];
  const values = keys.map((i) => full([i + 1], i, { device: places[i % 3]! }));
  await kv.init(keys, values);
  await kv.setOptimizer('sgd', { lr: 1 });
  const outs: Tensor[] = keys.map((i) => zeros([i + 1], { device: places[(i + 1) % 3]! }));
  await kv.pushpull(
    keys,
    keys.map((i) => full([i + 1], 2, { device: places[(i + 2) % 3]! })),
    { out: outs },
  );
  for (const i of keys) t.deepEqual(outs[i]!.toArray(), full([i + 1], i - 2).toArray(), `key ${i}`);
});

test('a custom optimizer gets tensors where the key lives', async (t) => {
  await compare(t, 'custom', async ([one, other, here]) => {
    const kv = await open(t, 'device');
    await kv.init(
      ['a', 'b'],
      (['float32', 'bfloat16'] as const).map((dtype) => tameTensor(dtype, [33], seed).to(one)),
    );
    const more = { rescaleGrad: 0.5, clipGradient: 0.7, ema: 0.9 };
    await kv.setOptimizer('cudaheavyball', { lr: 0.1, ...more });
    for (let step = 0; step < 3; step++) {
      const values = (dtype: DType): AnyTensor[] =>
        [other, one, here].map((device, k) => tameTensor(dtype, [33], seed + step + k).to(device));
      await kv.push(['a', 'b'], [values('float32'), values('bfloat16')]);
    }
    const averages = await kv.pull(['a', 'b'], { average: true });
    const before = await kv.pull('a');
    kv.optimizer['throws' as 'lr'] = true as never;
    await rejects(t, kv.push('a', ones([33])), { code: 'updater_error', key: 'a' });
    sameBits(t, await kv.pull('a'), before, 'after a failure');
    return [...(await kv.pull(['a', 'b'])), ...averages];
  });
});

test('debug: an out on a device that another key is written to at once is refused', async (t) => {
  const kv = await open(t, 'device', { debug: true });
  await kv.init(['a', 'b'], [ones(2, { device: first }), ones(2, { device: first })]);
  const out = zeros(2, { device: first });
  const pulled = kv.pull('a', { out });
  await rejects(t, kv.pull('b', { out }), { code: 'bad_argument', key: 'b' });
  await pulled;
  t.deepEqual(out.toArray(), [1, 1]);
});
