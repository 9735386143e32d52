import ava, { type ExecutionContext } from 'ava';
import { loadAddon } from '../../native/addon.js';
import {
  cpu,
  createKVStore,
  full,
  ones,
  zeros,
  type AnyTensor,
  type Device,
  type DType,
  type KVStore,
  type Tensor,
} from '../../src/index.js';
import {
  first,
  isStandIn,
  sameBits,
  second,
  serialCudaTest as test,
  tameTensor,
} from '../helpers/cuda.js';
import { rejects, runChild } from '../helpers/workers.js';

/** Lists of keys on a device that come again: the engine has them queued, without the coordinator. */

const shapes = [[5], [64, 3], [1], [0], [1000], [7, 9]];
const keys = shapes.map((_, key) => key);

async function open(t: ExecutionContext): Promise<KVStore> {
  const kv = await createKVStore('device');
  t.teardown(() => kv.close());
  return kv;
}

/** Counts the requests of this thread that the engine takes while `run` goes on. */
async function taken(run: () => Promise<unknown>): Promise<number> {
  const { engine } = loadAddon().addon!;
  const { submit } = engine;
  let count = 0;
  engine.submit = (...args) => {
    const now = submit(...args);
    count += now;
    return now;
  };
  try {
    await run();
  } finally {
    engine.submit = submit;
  }
  return count;
}

interface Lists {
  readonly values: Tensor[][];
  readonly outs: Tensor[][];
}

function lists(dtype: DType, device: Device): Lists {
  const some = (count: number): Tensor[][] =>
    shapes.map((shape) =>
      Array.from({ length: count }, () => zeros(shape, { dtype, device }) as Tensor),
    );
  return { values: some(3), outs: some(2) };
}

/** Gives the values of a list other elements. */
function refill({ values }: Lists, dtype: DType, seed: number): void {
  for (const [key, list] of values.entries()) {
    for (const [i, value] of list.entries()) {
      value.copyFrom(tameTensor(dtype, shapes[key]!, 1000 * seed + 10 * key + i));
    }
  }
}

const rules = [
  ['the sum', undefined, {}],
  ['sgd', 'sgd', { lr: 0.1, momentum: 0.9, wd: 0.01, multiPrecision: true }],
  ['adam', 'adam', { lr: 0.1, ema: 0.9 }],
  ['lamb', 'lamb', { lr: 0.1 }],
  ['adafactor', 'adafactor', { lr: 0.1 }],
] as const;

for (const [what, optimizer, options] of rules) {
  for (const dtype of ['float32', 'float16'] as const) {
    test(`a list that comes again ends in the bits of the CPU: ${what}, ${dtype}`, async (t) => {
      const run = async (device: Device): Promise<AnyTensor[]> => {
        const kv = await open(t);
        await kv.init(
          keys,
          shapes.map((shape) => full(shape, 0.5, { dtype, device })),
        );
        if (optimizer !== undefined) await kv.setOptimizer(optimizer, options);
        const [one, other] = [lists(dtype, device), lists(dtype, device)];
        const found: AnyTensor[] = [];
        const times = async (from: number, count: number, ...all: Lists[]): Promise<void> => {
          for (let i = from; i < from + count; i++) {
            for (const each of all) {
              refill(each, dtype, i);
              await kv.pushpull(keys, each.values, { out: each.outs });
            }
          }
        };
        await times(0, 5, one);
        if (optimizer !== undefined) kv.optimizer.lr = 0.05;
        await times(5, 4, one, other);
        await kv.push(4, one.values[4]!);
        found.push(await kv.pull(4));
        await times(9, 4, other);
        const [view] = await kv.pull([4], { view: true });
        const before = view!.toFloat32();
        await times(13, 4, one);
        t.deepEqual(view!.toFloat32(), before, 'a view stays as it is');
        view!.release();
        await times(17, 5, one);
        return [...found, ...one.outs.flat(), ...other.outs.flat(), ...(await kv.pull(keys))];
      };
      const expected = await run(cpu());
      let actual: AnyTensor[] = [];
      const count = await taken(async () => {
        actual = await run(first);
      });
      // Rules that see the whole tensor are the coordinator's.
      const isWhole = optimizer === 'lamb' || optimizer === 'adafactor';
      t.true(isWhole ? count === 0 : count > 8, `the engine has taken ${count} requests`);
      for (const [i, each] of expected.entries()) sameBits(t, actual[i]!, each, `tensor ${i}`);
    });
  }
}

test('one key, and outs that are the values', async (t) => {
  const kv = await open(t);
  await kv.init('w', zeros([10], { device: first }));
  await kv.setOptimizer('sgd', { lr: 1 });
  const value = ones([10], { device: first });
  const count = await taken(async () => {
    for (let i = 0; i < 8; i++) await kv.pushpull('w', value);
  });
  t.true(count >= 5, `${count}`);
  // w, and with it the next gradient: -1, 0, 0, ...
  t.deepEqual(value.toArray(), new Array(10).fill(0));
});

test('a list with a tensor that is elsewhere, or keys that are, is done all the same', async (t) => {
  const kv = await open(t);
  await kv.init(
    ['a', 'b', 'c'],
    [zeros(4, { device: first }), zeros(4, { device: second }), zeros(4)],
  );
  await kv.setOptimizer('sgd', { lr: 1 });
  const values = [ones(4, { device: first }), ones(4, { device: second }), ones(4)];
  const outs = [zeros(4, { device: first }), zeros(4, { device: first }), zeros(4)];
  for (let i = 1; i <= 6; i++) {
    await kv.pushpull(['a', 'b', 'c'], values, { out: outs });
    for (const out of outs) t.deepEqual(out.toArray(), new Array(4).fill(-i));
  }
});

const standIn = isStandIn ? ava.serial : ava.skip;

standIn('lists that are given up give their memory back', async (t) => {
  const code = `
    const { createKVStore, cuda, ones, zeros } = lib;
    const device = cuda(0);
    const kv = await createKVStore('device');
    const keys = Array.from({ length: 200 }, (_, key) => key);
    await kv.init(keys, keys.map(() => zeros([10], { device })));
    // More than are remembered, so that each is made ready anew.
    const lists = [0, 1, 2, 3, 4, 5].map(() => keys.map(() => ones([10], { device })));
    for (let round = 0; round < 40; round++) {
      for (const values of lists) {
        for (let i = 0; i < 4; i++) await kv.pushpull(keys, values);
        values[0].toArray(); // What was given back is free once the device has come so far.
      }
    }
    zeros([300_000], { device });
    console.log((await kv.pull(19, { out: zeros([10]) })).data[9]);
    await kv.close();`;
  const env = { TENSORKV_STAND_IN_BYTES: String(3_000_000) };
  const { stdout, stderr } = await runChild(code, env);
  t.is(stdout, '1\n', stderr);
});

for (const n of [0, 1, 2, 3]) {
  standIn(`a list that a device has no room for is not applied: allocation ${n}`, async (t) => {
    const code = `
      const { createKVStore, cuda, ones, zeros } = lib;
      const device = cuda(0);
      const kv = await createKVStore('device');
      const keys = [0, 1, 2, 3];
      await kv.init(keys, keys.map(() => zeros([100], { device })));
      await kv.setOptimizer('adam', { lr: 1 });
      const values = keys.map(() => ones([100], { device }));
      const outs = keys.map(() => zeros([100], { device }));
      let done = 0;
      for (let i = 0; i < 10; i++) {
        await kv.pushpull(keys, values, { out: outs }).then(() => (done += 1), (error) => {
          if (error.code !== 'memory_limit') throw error;
        });
      }
      const views = await kv.pull(keys, { view: true });
      console.log(done, views.map((view) => view.version).join());
      await kv.close();`;
    const calls = Array.from({ length: 3 }, (_, i) => `cuMemAllocAsync:${24 + n + i}:2`);
    const { stdout, stderr } = await runChild(code, { TENSORKV_STAND_IN_FAIL: calls.join() });
    const [, done, versions] = /^(\d+) ([\d,]+)\n$/.exec(stdout) ?? [];
    t.true(Number(done) >= 7, stdout + stderr);
    // Of a call that has failed, some keys may have been done.
    for (const version of versions!.split(',')) {
      t.true(Number(version) >= Number(done) && Number(version) <= 10, stdout);
    }
  });
}

standIn('a device that is lost ends the lists of its keys, and no others', async (t) => {
  const code = `
    const { createKVStore, cuda, ones, zeros } = lib;
    const { compile, launch, module } = await import(${JSON.stringify(new URL('../../src/cuda.js', import.meta.url).href)});
    const kv = await createKVStore('device');
    const make = (device) => [0, 1, 2].map(() => ones([10], { device }));
    const [here, there] = [make(cuda(0)), make(cuda(1))];
    await kv.init([0, 1, 2, 3, 4, 5], [...make(cuda(0)), ...make(cuda(1))]);
    for (let i = 0; i < 6; i++) {
      await kv.pushpull([0, 1, 2], here);
      await kv.pushpull([3, 4, 5], there);
    }
    const fault = module(compile('extern "C" __global__ void fault() {}'), cuda(1)).kernel('fault');
    try { launch(fault, { grid: 1, block: 1 }); } catch {}
    const codes = [];
    for (let i = 0; i < 4; i++) {
      codes.push(await kv.pushpull([3, 4, 5], there).then(() => 'done', ({ code }) => code));
      await kv.pushpull([0, 1, 2], here);
    }
    console.log(codes.at(-1), codes.every((code) => ['done', 'peer_dead'].includes(code)), here[2].toArray()[9]);
    await kv.close();`;
  const { stdout, stderr } = await runChild(code);
  t.is(stdout, 'peer_dead true 1\n', stderr);
});

standIn('what is not in place when a list is sent is the coordinator’s to refuse', async (t) => {
  const kv = await open(t);
  await kv.init([0, 1], [zeros(4, { device: first }), zeros(4, { device: first })]);
  const values = [ones(4, { device: first }), ones(4, { device: first })];
  for (let i = 0; i < 5; i++) await kv.pushpull([0, 1], values);
  await rejects(t, kv.pushpull([0, 1], [values[0]!, ones(5, { device: first })]), {
    code: 'shape_mismatch',
    key: 1,
  });
  for (let i = 0; i < 5; i++) await kv.pushpull([0, 1], values);
  t.deepEqual(values[1]!.toArray(), [1, 1, 1, 1]);
});
