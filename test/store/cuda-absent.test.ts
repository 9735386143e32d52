import test from 'ava';
import { runChild } from '../helpers/workers.js';

const cudaUrl = new URL('../../src/cuda.js', import.meta.url).href;

const code = `
  const gpu = await import(${JSON.stringify(cudaUrl)});
  const { available, reason, devices, driverVersion } = gpu.status();
  console.log(JSON.stringify({ available, reason, devices, driverVersion, count: gpu.deviceCount() }));
  const { createKVStore, cuda, ones, tensor, zeros } = lib;
  const calls = [
    () => zeros(2, { device: cuda(0) }),
    () => tensor([1], { device: cuda(1) }),
    () => ones(2).to(cuda(0)),
    () => gpu.synchronize(),
    () => gpu.module('ptx'),
    () => gpu.compile('int x;'),
  ];
  for (const call of calls) {
    try { call(); } catch (error) { console.log(error.code, error.message.includes(reason)); }
  }
  await gpu.ready(ones(2));
  const out = zeros(2);
  await gpu.copyAsync(ones(2), out);
  const kv = await createKVStore('device');
  await kv.init('w', out);
  await kv.push('w', ones(2));
  console.log((await kv.pull('w')).toArray().join(), gpu.devices().length);
  await kv.close();`;

/** Why there is no CUDA, as programs are told with this environment. */
const reasons: readonly (readonly [Record<string, string>, RegExp])[] = [
  [
    { TENSORKV_CUDA_DRIVER: '/nowhere/libcuda.so' },
    /^no driver of NVIDIA was found: \/nowhere\/libcuda\.so: |^this build has no |^TENSORKV_NATIVE=off /,
  ],
  [{ TENSORKV_NATIVE: 'off' }, /^TENSORKV_NATIVE=off turns the native addon off\.$/],
];
for (const [env, expected] of reasons) {
  const name = Object.keys(env)[0]!;
  test(`without CUDA programs are told why, and all else goes on: ${name}`, async (t) => {
    const { stdout, stderr } = await runChild(code, env);
    t.is(stderr, '');
    const [first, ...rest] = stdout.trimEnd().split('\n');
    const { reason, ...status } = JSON.parse(first!) as { readonly reason: string };
    t.regex(reason, expected);
    t.notRegex(reason, /\n/);
    t.deepEqual(status as object, { available: false, devices: [], count: 0 });
    t.deepEqual(rest, [...Array<string>(6).fill('cuda_unavailable true'), '1,1 0']);
  });
}
