import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import {
  KVStoreError,
  ones,
  rowSparse,
  RowSparseTensor,
  type RowSparseHandle,
} from '../../src/index.js';

const instanceOf = KVStoreError;
const library = new URL('../../src/index.js', import.meta.url).href;
const shape = [5, 2];

/** Doubles the rows it is sent, in place, and answers with a tensor of its own. */
const doubler = `
  import { parentPort } from 'node:worker_threads';
  import { rowSparse, RowSparseTensor } from ${JSON.stringify(library)};
  parentPort.once('message', (handle) => {
    const got = RowSparseTensor.fromHandle(handle);
    got.rows.mul_(2);
    const seen = rowSparse({ shape: got.shape, indices: got.indices, rows: got.rows });
    parentPort.postMessage(seen.handle());
  });
`;

test('V5: a row-sparse tensor crosses threads without a copy', async (t) => {
  const mine = rowSparse({ shape: [60_000_000, 2], indices: [9, 4], rows: ones([2, 2]) });
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(doubler)}`));
  worker.postMessage(mine.handle());
  const [handle] = (await once(worker, 'message')) as [RowSparseHandle];
  await worker.terminate();
  t.true(mine.rows.data.every((x) => x === 2));
  const theirs = RowSparseTensor.fromHandle(handle);
  t.deepEqual([...theirs.indices], [4n, 9n]);
  t.deepEqual(theirs.shape, mine.shape);
  t.true(theirs.rows.data.every((x) => x === 2));
});

test('V5: what is no handle of a row-sparse tensor is refused', (t) => {
  const good = rowSparse({ shape, indices: [0, 1], rows: ones([2, 2]) }).handle();
  const shared = (...ids: bigint[]) => {
    const indices = new BigInt64Array(new SharedArrayBuffer(8 * ids.length));
    indices.set(ids);
    return indices;
  };
  const strangers: readonly unknown[] = [
    ...[undefined, null, 'tensor', {}, ones([2]).handle()],
    { ...good, shape: [] },
    { ...good, shape: [1, 2] },
    { ...good, shape: [5, 3] },
    { ...good, indices: [0n, 1n] },
    { ...good, indices: BigInt64Array.of(0n, 1n) },
    { ...good, indices: shared(0n) },
    { ...good, indices: shared(1n, 0n) },
    { ...good, indices: shared(1n, 1n) },
    { ...good, indices: shared(-1n, 1n) },
    { ...good, indices: shared(0n, 5n) },
    { ...good, rows: undefined },
    { ...good, rows: ones([2, 3]).handle() },
  ];
  for (const stranger of strangers) {
    t.throws(() => RowSparseTensor.fromHandle(stranger as RowSparseHandle), {
      instanceOf,
      code: 'bad_argument',
    });
  }
  t.is(RowSparseTensor.fromHandle(good).indices, good.indices);
});
