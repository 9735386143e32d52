import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { collectGarbage } from '../../../src/core/memory.js';
import { runNode } from '../../native/child.js';
import { read, settled, standIn, sum } from './support.js';

const cuda = standIn();
const workerUrl = new URL('./addon-worker.js', import.meta.url);

test('the addon says what devices there are', (t) => {
  t.is(cuda.deviceCount(), 2);
  t.is(cuda.driverVersion(), 13000);
  const { index, name, capability, processors, uuid } = cuda.deviceInfo(1);
  t.deepEqual(
    { index, name, capability, processors },
    { index: 1, name: 'stand-in 1', capability: [9, 0], processors: 4 },
  );
  t.is(uuid, '01010101-0101-0101-0101-010101010101');
  t.true(cuda.deviceInfo(0).freeBytes <= cuda.deviceInfo(0).totalBytes);
});

test('arrays are zeros, take what is uploaded, and are summed and copied on devices', (t) => {
  const [a, b, c] = [cuda.allocate(0, 16), cuda.allocate(0, 16), cuda.allocate(1, 16)];
  t.deepEqual(read(cuda, a, 4), [0, 0, 0, 0]);
  const source = new Float32Array([1, 2, 3, 4]);
  cuda.upload(source, a, 0);
  source.fill(9);
  cuda.upload(new Uint8Array(new Float32Array([10]).buffer), b, 4);
  sum(cuda, 0, 4, [a, b, a], b);
  cuda.copy(b, 4, c, 0, 12);
  t.deepEqual(read(cuda, c, 4), [14, 6, 8, 0]);
  t.deepEqual({ ...cuda.arrayInfo(c), address: 0n }, { device: 1, bytes: 16, address: 0n });
  t.true(cuda.arrayInfo(c).address > 0n);
  cuda.synchronize(0);
  for (const id of [a, b, c]) cuda.release(id);
});

test('an object that nobody has is known to be collected before the turn ends', (t) => {
  const kept = {};
  const [of, other, gone] = [kept, {}, {}].map((object) => cuda.watch(object));
  cuda.forget(gone!);
  collectGarbage();
  t.deepEqual(cuda.collected(), [other!]);
  cuda.forget(other!);
  t.deepEqual(cuda.collected(), []);
  cuda.forget(cuda.watch(kept));
  cuda.forget(of!);
});

test('a download without waiting gives what was there when it was asked for', async (t) => {
  const a = cuda.allocate(0, 4000);
  const outs = Array.from({ length: 10 }, () => new Float32Array(1000));
  const all = outs.map((out, i) => {
    cuda.upload(new Float32Array(1000).fill(i + 1), a, 0);
    return settled((done) => cuda.downloadAsync(a, 0, out, done));
  });
  await Promise.all(all);
  t.deepEqual(
    outs.map((out) => [out[0], out[999]]),
    outs.map((_, i) => [i + 1, i + 1]),
  );
  await settled((done) => cuda.whenReady(a, done));
  cuda.release(a);
});

test('a download into an array that was detached fails', async (t) => {
  const a = cuda.allocate(0, 400);
  const out = new Float32Array(100);
  const download = settled((done) => cuda.downloadAsync(a, 0, out, done));
  structuredClone(out, { transfer: [out.buffer] });
  const error = await t.throwsAsync(download);
  t.is((error as NodeJS.ErrnoException).code, 'bad_argument');
  cuda.release(a);
});

test('user kernels are compiled, loaded and launched in order with all else', (t) => {
  const source = '__global__ void scale(float* x, float factor, int n) { /* … */ }';
  const ptx = cuda.compile(source, ['--std=c++17']);
  const module = cuda.loadModule(0, ptx);
  const kernel = cuda.kernel(module, 'scale');
  const a = cuda.allocate(0, 16);
  cuda.upload(new Float32Array([1, 2, 3, 4]), a, 0);
  const args = new Float64Array([0, a, 4, 3, 3, 2.5, 0, 0, 1, 3, 0, 0]);
  cuda.launch(kernel, [1, 1, 1], [32, 1, 1], 0, args);
  t.deepEqual(read(cuda, a, 4), [1, 5, 7.5, 10]);
  const noKernel = t.throws(() => cuda.kernel(module, 'another'));
  t.is((noKernel as NodeJS.ErrnoException).code, 'bad_argument');
  const noCode = t.throws(() => cuda.compile('int x;', []));
  t.regex(noCode.message, /error: expected a kernel/);
  cuda.release(a);
});

test('an allocation goes from one thread to others, who may hold it alone', async (t) => {
  const a = cuda.allocate(0, 4000);
  cuda.upload(new Float32Array(1000).fill(3), a, 0);
  const worker = new Worker(workerUrl, { workerData: { task: 'double', id: a } });
  // From the begin: it may come with the last message.
  const exited = once(worker, 'exit');
  const [b] = (await once(worker, 'message')) as [number];
  cuda.release(a);
  worker.postMessage('go on');
  const [value] = (await once(worker, 'message')) as [number];
  t.is(value, 6);
  await exited;
  const gone = t.throws(() => read(cuda, b, 1));
  t.is((gone as NodeJS.ErrnoException).code, 'peer_dead');
});

for (const end of ['terminate', 'exit', 'throw'] as const) {
  test(`a thread that ends by ${end} with work in flight takes nothing of others along`, async (t) => {
    const a = cuda.allocate(0, 1 << 20);
    for (let round = 1; round <= 5; round++) {
      const workerData = { task: 'flood', id: a, value: round, end };
      const worker = new Worker(workerUrl, { workerData });
      worker.on('error', () => undefined);
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      await new Promise((resolve) => worker.once('message', resolve));
      if (end === 'terminate') await worker.terminate();
      await exited;
      t.is(read(cuda, a, 1)[0], round);
    }
    cuda.release(a);
  });
}

test('a process waits for what it was promised, and for nothing else', async (t) => {
  const script = (rest: string) => `
    const { loadAddon } = await import('${new URL('../../../native/addon.js', import.meta.url).href}');
    const { cuda } = loadAddon().addon;
    const id = cuda.allocate(0, 1 << 20);
    ${rest}`;
  const native = { TENSORKV_NATIVE: 'require' };
  const waits = await runNode(
    ['--input-type=module', '--eval', script('cuda.whenReady(id, () => console.log("ready"));')],
    native,
  );
  t.deepEqual([waits.code, waits.stdout], [0, 'ready\n']);
  const throws = await runNode(
    [
      '--input-type=module',
      '--eval',
      script('cuda.whenReady(id, () => { throw new Error("no"); });'),
    ],
    native,
  );
  t.not(throws.code, 0);
  t.regex(throws.stderr, /Error: no/);
  const exits = await runNode(
    ['--input-type=module', '--eval', script('cuda.whenReady(id, () => 0); process.exit(3);')],
    native,
  );
  t.deepEqual([exits.code, exits.stderr], [3, '']);
});

test('a device without room, and one that is lost, are told apart', async (t) => {
  const script = `
    const { loadAddon } = await import('${new URL('../../../native/addon.js', import.meta.url).href}');
    const { cuda } = loadAddon().addon;
    const codeOf = (call) => { try { call(); } catch (error) { return error.code; } };
    const [a, b] = [cuda.allocate(0, 400), cuda.allocate(1, 400)];
    console.log(codeOf(() => cuda.allocate(0, 2 ** 40)));
    const kernel = cuda.kernel(cuda.loadModule(0, cuda.compile('__global__ void fault()', [])), 'fault');
    const lost = (error) => {
      console.log(error.code, /^CUDA device 0 is lost: /.test(error.message));
      console.log(codeOf(() => cuda.upload(new Float32Array(1), a, 0)));
      cuda.upload(new Float32Array(1), b, 0);
      cuda.release(a);
    };
    cuda.whenReady(a, () => {
      // The device is lost before or after it is asked.
      try {
        cuda.launch(kernel, [1, 1, 1], [1, 1, 1], 0, new Float64Array(0));
        cuda.upload(new Float32Array(100), a, 0);
        cuda.whenReady(a, lost);
      } catch (error) {
        lost(error);
      }
    });`;
  const { code, stdout, stderr } = await runNode(['--input-type=module', '--eval', script], {
    TENSORKV_NATIVE: 'require',
  });
  t.is(stderr, '');
  t.is(stdout, 'memory_limit\npeer_dead true\npeer_dead\n');
  t.is(code, 0);
});
