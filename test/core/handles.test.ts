import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { cpu, full, KVStoreError, ones, Tensor, type TensorHandle } from '../../src/index.js';

const instanceOf = KVStoreError;
const library = new URL('../../src/index.js', import.meta.url).href;

/** Doubles what it is sent, in place, and answers with a tensor of its own. */
const doubler = `
  import { parentPort } from 'node:worker_threads';
  import { Tensor, tensor } from ${JSON.stringify(library)};
  parentPort.once('message', (handle) => {
    const got = Tensor.fromHandle(handle);
    got.mul_(2);
    const { shape, dtype, device } = got;
    const seen = tensor([shape.length, got.size], { dtype, device });
    parentPort.postMessage(seen.handle());
  });
`;

function startDoubler(): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(doubler)}`));
}

for (const shape of [[3], [100, 100]]) {
  test(`V5: a tensor of shape ${shape.join('x')} crosses threads without a copy`, async (t) => {
    const mine = full(shape, 21, { dtype: 'float64', device: cpu(1) });
    const worker = startDoubler();
    worker.postMessage(mine.handle());
    const [handle] = (await once(worker, 'message')) as [TensorHandle];
    await worker.terminate();

    // What the other thread wrote is here: both sides have the same bytes.
    t.true(mine.data.every((x) => x === 42));
    const theirs = Tensor.fromHandle(handle);
    t.deepEqual(theirs.toArray(), [shape.length, mine.size]);
    t.is(theirs.dtype, 'float64');
    t.deepEqual(theirs.device, cpu(1));
    t.true(theirs.data.buffer instanceof SharedArrayBuffer);
  });
}

test('V5: a tensor of a thread that has ended stays readable', async (t) => {
  const worker = startDoubler();
  worker.postMessage(ones([2]).handle());
  const [handle] = (await once(worker, 'message')) as [TensorHandle];
  await worker.terminate();
  t.deepEqual(Tensor.fromHandle(handle).add(1).toArray(), [2, 3]);
});

test('V5: a handle taken back shares the elements and takes the shape over', (t) => {
  const mine = ones([2, 2]);
  const again = Tensor.fromHandle(mine.handle());
  again.fill(3);
  t.deepEqual(mine.toArray(), [
    [3, 3],
    [3, 3],
  ]);
  t.is(again.data, mine.data);
});

test('V5: what is no tensor handle is refused', (t) => {
  const good = ones([2]).handle();
  const strangers: readonly unknown[] = [
    undefined,
    null,
    'tensor',
    {},
    { shape: [2] },
    { shape: [2], dtype: undefined, data: undefined, device: cpu(0) },
    { ...good, shape: [3] },
    { ...good, shape: [-2] },
    { ...good, dtype: 'float64' },
    { ...good, data: [1, 1] },
    { ...good, data: Uint8Array.of(1, 1), dtype: 'uint8' },
    { ...good, data: new Float32Array(2) },
    { ...good, device: 'cpu' },
  ];
  for (const stranger of strangers) {
    t.throws(() => Tensor.fromHandle(stranger as TensorHandle), {
      instanceOf,
      code: 'bad_argument',
    });
  }
});
