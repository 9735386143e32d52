import { once } from 'node:events';
import { types } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { kernels, type AnyTypedArray } from '../../native/kernels.js';
import { KVStoreError, unsharedView } from '../../src/index.js';
import { runNode } from './child.js';

const hasAddon = kernels.name === 'native';
// Only the addon can make these views; loading.test.ts tests what happens without it.
const nativeTest = hasAddon ? test : test.skip;

const workerUrl = new URL('./unshared-view-worker.js', import.meta.url);

nativeTest('unsharedView shows the same elements without a SharedArrayBuffer', (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(64), 4, 10);
  const unshared = kernels.unsharedView(shared);
  t.true(types.isArrayBuffer(unshared.buffer));
  t.is(Object.getPrototypeOf(unshared), Float32Array.prototype);
  t.is(unshared.length, 10);
  t.is(unshared.byteLength, unshared.buffer.byteLength);

  shared.set([1, 2, 3]);
  t.deepEqual([...unshared.subarray(0, 4)], [1, 2, 3, 0]);
  unshared[9] = 7;
  t.is(shared[9], 7);
  t.is(new Float32Array(shared.buffer)[10], 7);
});

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  readonly prototype: AnyTypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): AnyTypedArray;
}
const arrayTypes: readonly ArrayType[] = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array],
  ...[Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
];

for (const Type of arrayTypes) {
  const name = Type.prototype.constructor.name;
  nativeTest(`unsharedView keeps the type and the length: ${name}`, (t) => {
    for (const length of [0, 1, 5]) {
      for (const offset of [0, 1, 3]) {
        const buffer = new SharedArrayBuffer(16 * Type.BYTES_PER_ELEMENT);
        const begin = offset * Type.BYTES_PER_ELEMENT;
        const unshared = kernels.unsharedView(new Type(buffer, begin, length));
        t.is(Object.getPrototypeOf(unshared), Type.prototype);
        t.is(unshared.length, length);
        t.false(types.isSharedArrayBuffer(unshared.buffer));
        new Uint8Array(buffer).fill(1);
        const bytes = new Uint8Array(unshared.buffer);
        t.is(bytes.length, length * Type.BYTES_PER_ELEMENT);
        t.true(bytes.every((byte) => byte === 1));
      }
    }
  });
}

nativeTest('unsharedView works on a growable SharedArrayBuffer', (t) => {
  const buffer = new SharedArrayBuffer(64, { maxByteLength: 4096 });
  const unshared = kernels.unsharedView(new Int32Array(buffer, 8, 4));
  buffer.grow(4096);
  new Int32Array(buffer).fill(5);
  t.deepEqual([...unshared], [5, 5, 5, 5]);
});

test('unsharedView returns a view of unshared memory as it is', (t) => {
  const view = new Float64Array(3);
  t.is(kernels.unsharedView(view), view);
});

test('unsharedView refuses what is no typed array', (t) => {
  t.throws(() => kernels.unsharedView([1] as never), { message: /typed arrays/ });
  t.throws(() => kernels.unsharedView(new DataView(new ArrayBuffer(8)) as never), {
    message: /takes a typed array/,
  });
});

nativeTest('unsharedView works in a worker, and the memory outlives it', async (t) => {
  const shared = new Int32Array(new SharedArrayBuffer(1024));
  for (let run = 1; run <= 3; run++) {
    const worker = new Worker(workerUrl, { workerData: shared });
    await once(worker, 'message');
    t.true(shared.every((x) => x === run));
    // While the worker still holds its views.
    await worker.terminate();
    shared.fill(run);
    t.is(kernels.unsharedView(shared)[255], run);
  }
});

nativeTest('unsharedView keeps the memory until it is collected itself', async (t) => {
  const script = fileURLToPath(new URL('./unshared-view-gc.js', import.meta.url));
  const { code, stdout, stderr } = await runNode(['--expose-gc', script]);
  t.is(stderr, '');
  t.is(stdout, 'kept\nfreed\nterminated\n');
  t.is(code, 0);
});

nativeTest('unsharedView takes tensors and typed arrays alone', (t) => {
  for (const source of [
    undefined,
    3,
    {},
    new SharedArrayBuffer(8),
    new DataView(new ArrayBuffer(8)),
  ]) {
    t.throws(() => unsharedView(source as Float32Array), {
      instanceOf: KVStoreError,
      code: 'bad_argument',
      message: /^unsharedView expected a tensor or a typed array, got /,
    });
  }
});
