import '../helpers/four-devices.js';
import ava, { type ExecutionContext } from 'ava';
import { dtypes } from '../../src/core/dtypes.js';
import { arrayOf } from '../../src/core/tensor.js';
import { deviceCount, status, synchronize } from '../../src/cuda.js';
import { createKVStore, cuda, full, Tensor, zeros, type KVStore } from '../../src/index.js';
import { isStandIn, randomTensor, sameBits, tameTensor } from '../helpers/cuda.js';
import { seed } from '../helpers/random.js';
import { runChild } from '../helpers/workers.js';

// A key of one device, pulled to several others.
const count = Math.min(deviceCount(), 4);
const test = count > 2 ? ava : ava.skip;
const standInTest = isStandIn ? ava : ava.skip;
const all = Array.from({ length: count }, (_, index) => cuda(index));

async function open(t: ExecutionContext, coordinator: 'thread' | 'inline'): Promise<KVStore> {
  const kv = await createKVStore('device', { coordinator });
  t.teardown(() => kv.close());
  return kv;
}

for (const { name: dtype } of dtypes) {
  test(`a pull to several devices brings the same bits to each: ${dtype}`, async (t) => {
    const kv = await open(t, 'inline');
    for (const [i, length] of [1, 2, 7, 255, 4097, 70_001].entries()) {
      const key = `w${length}`;
      const source = all[i % count]!;
      const value = randomTensor(dtype, [length], seed + i);
      await kv.init(key, value.to(source));
      // The source's device too, and one device twice.
      const outs = [...all, all.at(-1)!].map((device) => zeros([length], { dtype, device }));
      await kv.pull(key, { out: outs });
      for (const [k, out] of outs.entries()) sameBits(t, out, value, `${key}, out ${k}`);
      const pair = all.filter((each) => each !== source).slice(0, 2);
      const two = pair.map((device) => zeros([length], { dtype, device }));
      await kv.pull(key, { out: [...two, zeros([length], { dtype })] });
      for (const [k, out] of two.entries()) sameBits(t, out, value, `${key}, of two ${k}`);
    }
  });
}

test('outs may lie anywhere in their allocations', async (t) => {
  const kv = await open(t, 'inline');
  const length = 1001;
  const value = randomTensor('uint8', [length], seed);
  await kv.init('w', value.to(all[0]!));
  for (const offset of [1, 2, 3, 4, 13]) {
    const wholes = all.slice(1).map((device) => full([length + 32], 9, { dtype: 'uint8', device }));
    const outs = wholes.map((whole) => {
      const data = arrayOf(whole).subarray(offset, offset + length);
      return Tensor.fromHandle({ shape: [length], dtype: 'uint8', device: whole.device, data });
    });
    await kv.pull('w', { out: outs });
    for (const [k, out] of outs.entries()) {
      sameBits(t, out, value, `out ${k} at ${offset}`);
      const around = wholes[k]!.toArray() as number[];
      t.true(around.slice(0, offset).every((x) => x === 9));
      t.true(around.slice(offset + length).every((x) => x === 9));
    }
  }
});

for (const coordinator of ['inline', 'thread'] as const) {
  test(`pushes and pulls to all devices in turn end as on the CPU: ${coordinator}`, async (t) => {
    const keys = [0, 1, 2];
    const results = [];
    for (const places of [all, all.map(() => 'cpu' as const)]) {
      const on = (i: number) => (places[i] === 'cpu' ? {} : { device: places[i]! });
      const kv = await open(t, coordinator);
      const start = keys.map((key) => tameTensor('float32', [300], key));
      await kv.init(
        keys,
        start.map((w, i) => (places[i] === 'cpu' ? w : w.to(all[i]!))),
      );
      await kv.setOptimizer('sgd', { lr: 0.25, momentum: 0.5 });
      const outs = keys.map(() => all.map((_, i) => zeros([300], on(i))));
      for (let round = 0; round < 12; round++) {
        // What one round brings to a device is what the next pushes from there.
        const values = keys.map((key) => outs[key]!);
        await kv.pushpull(keys, values, { out: outs });
        outs.flat().forEach((out, i) => out.add_(i));
      }
      results.push(outs.flat().map((out) => out.toFloat32()));
    }
    t.deepEqual(results[0], results[1]);
  });
}

test('several threads broadcast at once between devices that they share', async (t) => {
  await Promise.all(
    [0, 1, 2, 3].map(async (number) => {
      const kv = await open(t, 'thread');
      const source = all[number % count]!;
      const others = all.filter((each) => each !== source);
      const targets = number % 2 === 0 ? others : others.slice(0, 2);
      const outs = targets.map((device) => zeros([5000], { device }));
      await kv.init('w', zeros([5000], { device: source }));
      await kv.setOptimizer('sgd', { lr: 1 });
      for (let round = 1; round <= 30; round++) {
        await kv.pushpull('w', full([5000], -1, { device: source }), { out: outs });
        if (round % 10 !== 0) continue;
        for (const out of outs) sameBits(t, out, full([5000], round), `store ${number}`);
      }
    }),
  );
  for (const device of all) synchronize(device);
  if (isStandIn) t.true(status().nccl!.available);
});

const cudaUrl = new URL('../../src/cuda.js', import.meta.url).href;

/** Pulls to three devices, and what `status` says then. */
const code = `
  const { createKVStore, cuda, full, zeros } = lib;
  const { status } = await import('${cudaUrl}');
  const outs = [1, 2, 3].map((index) => zeros([3000], { device: cuda(index) }));
  const kv = await createKVStore('device', { coordinator: 'inline' });
  await kv.init('w', zeros([3000], { device: cuda(0) }));
  await kv.setOptimizer('sgd', { lr: 1 });
  for (let round = 0; round < 5; round++) {
    await kv.pushpull('w', full([3000], -1, { device: cuda(0) }), { out: outs });
  }
  console.log(outs.map((out) => out.toFloat32().every((x) => x === 5)).join());
  console.log(status().nccl.available, status().nccl.version, status().nccl.reason);
  await kv.close();`;

const right = 'true,true,true\n';

standInTest('with NCCL nothing is copied from device to device', async (t) => {
  const { stdout, stderr } = await runChild(code, {
    TENSORKV_STAND_IN_FAIL: 'cuMemcpyPeerAsync:1:1',
  });
  t.is(stdout, `${right}true 2.27.3 undefined\n`, stderr);
});

const without: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  [
    'that is not there',
    { TENSORKV_NCCL: '/nowhere/libnccl.so.2' },
    /^false undefined \/nowhere\/libnccl\.so\.2: cannot open shared object file: .*\n$/,
  ],
  [
    'that is another library',
    { TENSORKV_NCCL: 'libm.so.6', TENSORKV_STAND_IN_FAIL: 'ncclBroadcast:1:1' },
    /^false undefined NCCL takes no driver that only stands in for a GPU's\n$/,
  ],
  [
    'that is too old',
    { TENSORKV_STAND_IN_NCCL: '2804' },
    /^false 2\.8\.4 NCCL is too old: it is 2\.8\.4, and 2\.9 is needed\n$/,
  ],
  [
    'that makes no communicator',
    { TENSORKV_STAND_IN_FAIL: 'ncclCommInitAll:1:1' },
    /^false 2\.27\.3 ncclCommInitAll failed with unhandled cuda error\n$/,
  ],
  [
    'that does not begin a group',
    { TENSORKV_STAND_IN_FAIL: 'ncclGroupStart:2:3' },
    /^false 2\.27\.3 a broadcast failed with another error\n$/,
  ],
  [
    'that refuses a device',
    { TENSORKV_STAND_IN_FAIL: 'ncclBroadcast:7:1' },
    /^false 2\.27\.3 a broadcast failed with unhandled cuda error\n$/,
  ],
  [
    'that launches a broadcast in part',
    { TENSORKV_STAND_IN_FAIL: 'ncclGroupEnd:3:1' },
    /^false 2\.27\.3 a broadcast failed with unhandled cuda error\n$/,
  ],
];
for (const [what, env, said] of without) {
  standInTest(`an NCCL ${what} is told of, and copies bring the same`, async (t) => {
    const { stdout, stderr } = await runChild(code, env);
    t.true(stdout.startsWith(right), stdout + stderr);
    t.regex(stdout.slice(right.length), said);
  });
}

standInTest('a device that is lost fails the pulls to it, and those to others go on', async (t) => {
  const { stdout, stderr } = await runChild(`
    const { createKVStore, cuda, full, zeros } = lib;
    const { compile, launch, module, synchronize } = await import('${cudaUrl}');
    const outs = [1, 2, 3].map((index) => zeros([3000], { device: cuda(index) }));
    const kv = await createKVStore('device', { coordinator: 'inline' });
    await kv.init('w', full([3000], 7, { device: cuda(0) }));
    await kv.pull('w', { out: outs });
    const kernel = module(compile('extern "C" __global__ void fault() {}'), cuda(2)).kernel('fault');
    const codeOf = (call) => { try { call(); } catch (error) { return error.code; } };
    codeOf(() => launch(kernel, { grid: 1, block: 1 }));
    console.log(codeOf(() => synchronize(cuda(2))));
    console.log(await kv.pull('w', { out: outs }).catch((error) => error.code));
    const left = [outs[0], outs[2]];
    for (const out of left) out.fill(0);
    await kv.pull('w', { out: left });
    console.log(left.map((out) => out.toFloat32().every((x) => x === 7)).join());
    await kv.close();`);
  t.is(stdout, 'peer_dead\npeer_dead\ntrue,true\n', stderr);
});
