import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { byteView, openCheckpoint, writeCheckpoint } from '../../actors/checkpoint-file.js';
import {
  createKVStore,
  full,
  ones,
  optim,
  schedule,
  tensor,
  zeros,
  type AnyTensor,
  type ErrorCode,
  type KVStore,
} from '../../src/index.js';
import { dtypes } from '../../src/core/dtypes.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { program, rejects } from '../helpers/workers.js';
import { begin, courses, digest, train } from '../workers/train.js';

test.serial('S16: training goes on in a new process as if it had never stopped', async (t) => {
  const folder = temporaryFolder(t);
  const expected: Record<string, string> = {};
  for (const course of Object.keys(courses)) {
    const kv = await begin(course);
    await train(kv, 1, 5);
    await kv.save(join(folder, `${course}.safetensors`));
    await train(kv, 6, 10);
    expected[course] = await digest(kv);
    await kv.close();
  }
  const child = execFileSync(process.execPath, [fileURLToPath(program('train')), folder]);
  const actual = JSON.parse(String(child)) as Record<string, string>;
  for (const course of Object.keys(courses)) t.is(actual[course], expected[course], course);
});

onEveryPlane('S16: load gives back weights, versions, optimizer and counts', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const first = await open();
  await first.init(['w', '__proto__', 'never'], [ones([2]), zeros([3]), full([2, 2], 7)]);
  await first.setOptimizer(optim.adam({ lr: 0.1, lrMult: { w: 2 } }));
  await first.push(['w', '__proto__'], [ones([2]), ones([3])]);
  await first.push('w', ones([2]));
  await first.save(path);

  const second = await open();
  await second.load(pathToFileURL(path));
  t.deepEqual(second.keys, ['w', '__proto__', 'never']);
  t.is(second.optimizer.name, 'adam');
  t.deepEqual({ ...second.optimizer }, { ...first.optimizer });
  for (const kv of [first, second])
    await kv.push(second.keys, [ones([2]), ones([3]), ones([2, 2])]);
  for (const key of second.keys) {
    t.deepEqual((await second.pull(key)).toArray(), (await first.pull(key)).toArray());
  }
  t.is(second.stats().storeBytes, first.stats().storeBytes);
});

onEveryPlane('S16: every dtype goes through a file', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const [first, second] = [await open(), await open()];
  const values = dtypes.map(({ name: dtype }): AnyTensor => full([3], 3, { dtype }));
  const keys = values.map((_, i) => i);
  await first.init(keys, values);
  await first.save(path);
  await second.load(path);
  for (const key of keys) {
    const pulled: AnyTensor = await second.pull(key);
    t.is(pulled.dtype, values[key]!.dtype);
    t.deepEqual(pulled.data, values[key]!.data);
  }
});

onEveryPlane(
  'S16: a save holds all that was pushed before it, and nothing after',
  async (t, open) => {
    const path = join(temporaryFolder(t), 'store.safetensors');
    const [first, second] = [await open(), await open()];
    await first.init('w', zeros([1]));
    await first.setUpdater((_, input, stored) => void stored.add_(input));
    const calls = [
      ...[1, 2, 3].map((x) => first.push('w', full([1], x))),
      first.save(path),
      first.push('w', full([1], 100)),
    ];
    await Promise.all(calls);
    await second.load(path);
    t.is((await second.pull('w')).data[0], 6);
    t.is((await first.pull('w')).data[0], 106);
  },
);

onEveryPlane('S16: a load replaces what is like it and leaves other keys', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const kv = await open();
  await kv.init('w', full([2], 5));
  await kv.save(path);
  await kv.init('other', full([1], 9));
  await kv.push('w', zeros([2]));
  const calls = [kv.push('w', ones([2])), kv.load(path), kv.pull('w')];
  const [, , pulled] = await Promise.all(calls);
  t.deepEqual((pulled as AnyTensor).toArray(), [5, 5]);
  t.is((await kv.pull('other')).data[0], 9);
  t.is(kv.stats().storeBytes, 12);
});

onEveryPlane('S16: a view keeps what it was given across a load', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const kv = await open();
  await kv.init('w', full([2], 5));
  await kv.save(path);
  await kv.push('w', full([2], 6));
  const view = await kv.pull('w', { view: true });
  await kv.load(path);
  t.deepEqual(view.toArray(), [6, 6]);
  t.deepEqual((await kv.pull('w')).toArray(), [5, 5]);
  t.is(kv.stats().storeBytes, 16);
  view.release();
  await kv.pull('w');
  t.is(kv.stats().storeBytes, 8);
});

onEveryPlane('S16: optimizer states go without the weights', async (t, open) => {
  const path = join(temporaryFolder(t), 'states.safetensors');
  const [first, second] = [await open(), await open()];
  for (const kv of [first, second]) {
    await kv.init('w', zeros([2], { dtype: 'float64' }));
    await kv.setOptimizer(optim.adam({ lr: 0.1 }));
  }
  const gradient = tensor([1, -2], { dtype: 'float64' });
  for (let i = 0; i < 3; i++) await first.push('w', gradient);
  await first.saveOptimizerStates(path);
  t.deepEqual([...openCheckpoint(path).tensors.keys()].sort(), [
    'states/mean/w',
    'states/variance/w',
  ]);
  await second.loadOptimizerStates(path);
  t.deepEqual((await second.pull('w')).toArray(), [0, 0]);
  const before = (await first.pull('w')).toArray() as number[];
  for (const kv of [first, second]) await kv.push('w', gradient);
  const after = (await first.pull('w')).toArray() as number[];
  const step = (await second.pull('w')).toArray() as number[];
  step.forEach((x, i) => t.true(Math.abs(x - (after[i]! - before[i]!)) < 1e-15));
});

onEveryPlane('S16: states of another optimizer, and none, are refused', async (t, open) => {
  const path = join(temporaryFolder(t), 'states.safetensors');
  const kv = await open();
  await kv.init('w', zeros([2]));
  await rejects(t, kv.saveOptimizerStates(path), { code: 'no_optimizer' });
  await rejects(t, kv.loadOptimizerStates(path), { code: 'no_optimizer' });
  t.false(existsSync(path));
  await kv.setOptimizer('adam');
  await kv.push('w', ones([2]));
  await kv.saveOptimizerStates(path);
  await rejects(t, kv.load(path), { code: 'bad_checkpoint', key: 'w', says: ['weights'] });
  await kv.setOptimizer('sgd');
  await rejects(t, kv.loadOptimizerStates(path), { code: 'bad_checkpoint', says: ['sgd', 'adam'] });
  const other = await open();
  await other.setOptimizer('adam');
  await rejects(t, other.loadOptimizerStates(path), { code: 'unknown_key', key: 'w' });
});

/** A store with one key and an optimizer that has a state, saved. */
async function saved(kv: KVStore, path: string): Promise<void> {
  await kv.init('w', full([2], 5));
  await kv.setOptimizer(optim.sgd({ momentum: 0.5, schedule: schedule.constant({ baseLr: 1 }) }));
  await kv.push('w', ones([2]));
  await kv.save(path);
}

onEveryPlane('S16: a file with any bit of its header flipped changes nothing', async (t, open) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const kv = await open();
  await saved(kv, path);
  await kv.push('w', ones([2]));
  const weights = (await kv.pull('w')).toArray();
  const bytes = kv.stats().storeBytes;
  const whole = readFileSync(path);
  const header = 8 + Number(whole.readBigUInt64LE(0));
  // Every byte of the header, each with another bit.
  for (let at = 0; at < header; at++) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1 << (at % 8);
    writeFileSync(path, flipped);
    await rejects(t, kv.load(path), { code: 'bad_checkpoint' });
  }
  for (let length = 0; length < whole.length; length += 7) {
    writeFileSync(path, whole.subarray(0, length));
    await rejects(t, kv.load(path), { code: 'bad_checkpoint' });
  }
  t.deepEqual((await kv.pull('w')).toArray(), weights);
  t.is(kv.stats().storeBytes, bytes);
  writeFileSync(path, whole);
  await kv.load(path);
  t.notDeepEqual((await kv.pull('w')).toArray(), weights);
});

onEveryPlane('S16: a file that does not fit the store changes nothing', async (t, open) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'store.safetensors');
  await saved(await open(), path);
  const refuses = async (init: (kv: KVStore) => Promise<void>, code: ErrorCode, key?: string) => {
    const kv = await open('local', { memoryLimit: 100 });
    await init(kv);
    const [keys, bytes] = [kv.keys, kv.stats().storeBytes];
    await rejects(t, kv.load(path), { code, ...(key === undefined ? {} : { key }) });
    t.deepEqual(kv.keys, keys);
    t.is(kv.stats().storeBytes, bytes);
    t.throws(() => kv.optimizer, { code: 'no_optimizer' });
  };
  await refuses((kv) => kv.init('w', zeros([3])), 'bad_checkpoint', 'w');
  await refuses((kv) => kv.init('w', zeros([2], { dtype: 'float64' })), 'bad_checkpoint', 'w');
  await refuses((kv) => kv.init(0, zeros([2])), 'mixed_key_types', 'w');
  await refuses((kv) => kv.init('big', zeros([22])), 'memory_limit');
});

/** Metadata that is not what a store writes, beside a tensor that it would write. */
const strange: readonly unknown[] = [
  'x',
  [],
  { version: 2, keys: [] },
  { version: 1, keys: {} },
  { version: 1, keys: [{}] },
  { version: 1, keys: [{ key: '', version: 0, count: 0, counters: {}, slots: [], residuals: [] }] },
  {
    version: 1,
    keys: [{ key: 'w', version: -1, count: 0, counters: {}, slots: [], residuals: [] }],
  },
  {
    version: 1,
    keys: [{ key: 'w', version: 0, count: 0, counters: { a: '1' }, slots: [], residuals: [] }],
  },
  {
    version: 1,
    keys: [{ key: 'w', version: 0, count: 0, counters: {}, slots: ['missing'], residuals: [] }],
  },
  { version: 1, keys: [], optimizer: undefined },
  {
    version: 1,
    keys: [{ key: 'w', version: 0, count: 0, counters: {}, slots: [], residuals: [] }],
    optimizer: 3,
  },
];
for (const record of strange) {
  onEveryPlane(`S16: metadata such as ${JSON.stringify(record)} is refused`, async (t, open) => {
    const path = join(temporaryFolder(t), 'store.safetensors');
    const weights = { name: 'weights/w', dtype: 'float32', shape: [2] } as const;
    const metadata = new Map([['tensorkv', JSON.stringify(record)]]);
    writeCheckpoint(path, [{ ...weights, bytes: new Uint8Array(8) }], metadata);
    const kv = await open();
    await rejects(t, kv.load(path), { code: 'bad_checkpoint' });
    t.deepEqual(kv.keys, []);
  });
}

onEveryPlane('S16: paths are strings or file URLs', async (t, open) => {
  const kv = await open();
  for (const path of ['', undefined, 3, 'a\0b', new URL('https://example.org/a')]) {
    await rejects(t, kv.save(path as string), { code: 'bad_argument', says: ['path of a file'] });
    await rejects(t, kv.load(path as string), { code: 'bad_argument' });
  }
  const folder = temporaryFolder(t);
  await rejects(t, kv.save(join(folder, 'no', 'folder')), { code: 'bad_checkpoint', says: ['no'] });
  await rejects(t, kv.load(join(folder, 'nothing')), { code: 'bad_checkpoint', says: ['nothing'] });
});

/**
 * `python` was written by the Python library safetensors 0.8.0, with the tensors that its test names.
 * `tensorkv` was written by this library, and opened by that one.
 */
function fixture(name: string): URL {
  return new URL(`../../../test/fixtures/${name}.safetensors`, import.meta.url);
}

/** Saves a small store, the same one each time. */
async function saveSample(t: ExecutionContext, path: string): Promise<void> {
  const kv = await createKVStore();
  t.teardown(() => kv.close());
  await kv.init(
    ['layer/weight', 'half'],
    [
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      tensor([0.5, -0.25], { dtype: 'bfloat16' }),
    ],
  );
  await kv.setOptimizer(optim.sgd({ lr: 0.5, momentum: 0.5 }));
  await kv.push('layer/weight', ones([2, 3]));
  await kv.save(path);
}

test('S16: a checkpoint has the tensors of one that a reader of other people has opened', async (t) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  await saveSample(t, path);
  const tensorsOf = (file: string) => {
    const { tensors, close } = openCheckpoint(file);
    close();
    const bytes = [...tensors.values()].reduce((most, { end }) => Math.max(most, end), 0);
    return { tensors, data: readFileSync(file).subarray(-bytes).toString('hex') };
  };
  t.deepEqual(tensorsOf(path), tensorsOf(fileURLToPath(fixture('tensorkv'))));
});

test('S16: the Python library opens a checkpoint, where there is one', async (t) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  await saveSample(t, path);
  const code = `
from safetensors import safe_open
with safe_open(${JSON.stringify(path)}, framework="np") as f:
    assert sorted(f.keys()) == ["states/momentum/layer/weight", "weights/half", "weights/layer/weight"]
    assert f.get_tensor("weights/layer/weight").tolist() == [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]
    assert "tensorkv" in f.metadata()
`;
  const python = process.env['TENSORKV_PYTHON'] ?? 'python3';
  const known = spawnSync(python, ['-c', 'import safetensors.numpy']);
  if (known.status !== 0) {
    t.log('not run: no Python with safetensors and numpy (TENSORKV_PYTHON names one)');
    t.pass();
    return;
  }
  const { status, stderr } = spawnSync(python, ['-c', code], { encoding: 'utf8' });
  t.is(status, 0, stderr);
});

test('S16: a file of another program gives a key a tensor', async (t) => {
  const kv = await createKVStore();
  t.teardown(() => kv.close());
  await kv.load(fixture('python'));
  t.deepEqual([...kv.keys].sort(), ['bias', 'half', 'ids', 'model.weight', 'scalar']);
  t.deepEqual((await kv.pull('model.weight')).toArray(), [
    [0, 0.5, 1],
    [1.5, 2, 2.5],
  ]);
  t.deepEqual((await kv.pull('half')).toArray(), [1, -2, 65504]);
  t.deepEqual(((await kv.pull('ids')) as AnyTensor).toArray(), [-1n, 2n ** 62n] as never);
  t.is((await kv.pull('scalar')).toArray(), 2.5);
  t.deepEqual((await kv.pull('bias')).toArray(), []);
});

test('S16: in a group, one worker saves and loads for all', async (t) => {
  const path = join(temporaryFolder(t), 'store.safetensors');
  const group = await InlineGroup.open(t, { workers: 2 });
  const [first, second] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([first, second].map((kv) => kv.init('w', zeros([1])))));
  await group.finish(Promise.all([first, second].map((kv) => kv.setOptimizer('sgd', { lr: 1 }))));
  await group.finish(Promise.all([first, second].map((kv) => kv.push('w', ones([1])))));
  await group.finish(second.save(path));
  await group.finish(Promise.all([first, second].map((kv) => kv.push('w', ones([1])))));
  // The first worker is a round ahead: its push is added to what was loaded.
  const ahead = first.push('w', ones([1]));
  await group.drain();
  await group.finish(second.load(path));
  await group.finish(Promise.all([ahead, second.push('w', ones([1]))]));
  t.is((await group.finish(first.pull('w'))).data[0], -4);
  t.is(second.optimizer.name, 'sgd');
});

test('a checkpoint of bytes that were never read stays as it was', (t) => {
  const path = join(temporaryFolder(t), 'a.safetensors');
  const bytes = byteView(Float32Array.of(1, 2));
  writeCheckpoint(path, [{ name: 'w', dtype: 'float32', shape: [2], bytes }], new Map());
  const checkpoint = openCheckpoint(path);
  t.is(checkpoint.tensors.get('w')!.end, 8);
  checkpoint.close();
});
