import {
  address,
  compile,
  copyAsync,
  deviceCount,
  devices,
  exportHandle,
  float32,
  float64,
  importTensor,
  int32,
  int64,
  launch,
  module,
  read,
  readWrite,
  ready,
  status,
  synchronize,
  uint32,
  write,
} from '../../src/cuda.js';
import { cpu, cuda, full, KVStoreError, ones, zeros } from '../../src/index.js';
import { compilerTest, cudaTest as test, first, second, standInTest } from '../helpers/cuda.js';
import { rejects } from '../helpers/workers.js';

const instanceOf = KVStoreError;

const source = `
extern "C" __global__ void scale(float* x, float factor, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) x[i] *= factor;
}
extern "C" __global__ void add(const double* x, double* y, double a, long long n) {
  for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] += a * x[i];
}
`;

test('status tells of the driver and of each device', (t) => {
  const { available, reason, driverVersion, nccl, devices: all } = status();
  t.true(available);
  t.is(reason, undefined);
  t.true(driverVersion! >= 12_000);
  t.is(nccl!.reason === undefined, nccl!.available);
  t.regex(nccl!.version ?? nccl!.reason!, /./);
  t.is(all.length, deviceCount());
  t.deepEqual(
    devices().map(({ index, name }) => [index, name]),
    all.map(({ index, name }) => [index, name]),
  );
  const [{ name, capability, processors, totalBytes, freeBytes, uuid }] = all as [
    (typeof all)[number],
  ];
  t.true(name.length > 0 && uuid.length > 0);
  t.true(capability[0] >= 7 && processors > 0);
  t.true(totalBytes > 0 && freeBytes <= totalBytes);
});

test('ready resolves once a tensor is written, synchronize returns then', async (t) => {
  const there = ones([1000], { device: first });
  for (let i = 0; i < 10; i++) there.add_(1);
  await ready(there);
  await ready(ones(1));
  synchronize();
  synchronize(second);
  t.is(there.toFloat32()[999], 11);
});

test('copyAsync copies in every direction', async (t) => {
  const places = [cpu(), first, second];
  for (const from of places) {
    for (const to of places) {
      const [source_, out] = [full([1000], 3, { device: from }), zeros([1000], { device: to })];
      await copyAsync(source_, out);
      t.true(out.toFloat32().every((x) => x === 3));
    }
  }
  await copyAsync(zeros(0, { device: first }), zeros(0));
  await rejects(t, copyAsync(ones(2), zeros(3)), { code: 'shape_mismatch' });
  await rejects(t, copyAsync(ones(2), zeros(2, { dtype: 'int8' })), { code: 'dtype_mismatch' });
  await rejects(t, copyAsync(ones(2), [0, 0] as never), { code: 'bad_argument' });
});

test('a tensor has an address on its device', (t) => {
  const [a, b] = [zeros(1000, { device: first }), zeros(1000, { device: first })];
  t.is(typeof address(a), 'bigint');
  t.not(address(a), address(b));
  t.is(address(a), address(a));
  t.throws(() => address(ones(1)), { instanceOf, code: 'bad_argument', message: /on the CPU/ });
});

// A driver refuses handles of its own process; the stand-in opens them.
standInTest('a handle that was exported is opened again', (t) => {
  const there = full([3, 2], 5, { device: first });
  const exported = structuredClone(exportHandle(there));
  const other = importTensor(exported);
  t.deepEqual(other.toArray(), there.toArray());
  other.mul_(2);
  t.is(there.toFloat32()[5], 10);
  const wrong = { ...exported, handle: new Uint8Array(3) };
  t.throws(() => importTensor(wrong), { instanceOf, code: 'bad_argument' });
  t.throws(() => importTensor(exported, cpu()), { instanceOf, code: 'bad_argument' });
});

compilerTest(
  'kernels of a user are compiled, loaded and launched in order with other work',
  (t) => {
    const kernels = module(compile(source));
    const x = full([1000], 2, { device: first });
    x.add_(1);
    launch(kernels.kernel('scale'), { grid: 2, block: [64] }, [
      readWrite(x),
      float32(0.5),
      int32(999),
    ]);
    x.add_(1);
    t.deepEqual([x.toFloat32()[0], x.toFloat32()[999]], [2.5, 4]);
    const [from, to] = [3, 4].map((n) => full([10], n, { dtype: 'float64', device: first }));
    const add = kernels.kernel('add');
    t.is(add.name, 'add');
    launch(add, { grid: [1, 1, 1], block: 10 }, [
      read(from!),
      readWrite(to!),
      float64(2),
      int64(10n),
    ]);
    t.deepEqual(to!.toArray(), Array(10).fill(10));
    t.throws(() => compile('int x;'), { instanceOf, code: 'bad_argument' });
  },
);

const ptx = `
.version 6.3
.target sm_75
.address_size 64
.visible .entry scale(.param .u64 x, .param .f32 factor, .param .s32 n) { ret; }
`;

test('what is no kernel, or no argument of one, is refused', (t) => {
  const kernels = module(ptx);
  const scale = kernels.kernel('scale');
  const x = ones([4], { device: first });
  const args = [readWrite(x), float32(1), int32(4)];
  const refused = { instanceOf, code: 'bad_argument' };
  t.throws(() => kernels.kernel('nothing'), refused);
  t.throws(() => kernels.kernel(''), refused);
  t.throws(() => module('no ptx'), refused);
  t.throws(() => module(7 as never), refused);
  t.throws(() => module('x', cpu()), refused);
  t.throws(() => launch({} as never, { grid: 1, block: 1 }), refused);
  t.throws(() => launch(scale, { grid: 0, block: 1 }, args), refused);
  t.throws(() => launch(scale, { grid: [1, 1, 1, 1], block: 1 }, args), refused);
  t.throws(() => launch(scale, { grid: 1, block: 1, sharedBytes: -1 }, args), refused);
  t.throws(() => launch(scale, { grid: 1, block: 1, more: 1 } as never, args), refused);
  t.throws(() => launch(scale, { grid: 1, block: 1 }, [x as never]), refused);
  t.throws(() => launch(scale, { grid: 1, block: 1 }, args.slice(1)), refused);
  t.throws(() => write(ones(1)), refused);
  t.throws(() => read(1 as never), refused);
  t.throws(() => int32(2 ** 31), refused);
  t.throws(() => uint32(-1), refused);
  t.throws(() => int64(2n ** 63n), refused);
  t.throws(() => float32('1' as never), refused);
  t.throws(() => float64(1n as never), refused);
  t.throws(() => synchronize(cuda(99)), { instanceOf, code: 'cuda_unavailable' });
  t.is(x.toFloat32()[0], 1);
});
