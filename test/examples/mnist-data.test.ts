import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { loadMnist } from '../../examples/mnist/data.js';
import { decodeIdx } from '../../examples/mnist/idx.js';
import { permutation } from '../../examples/mnist/random.js';
import { UserError } from '../../examples/mnist/user-error.js';

/** The bytes of an IDX file. */
function idx(shape: readonly number[], elements: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length);
  shape.forEach((length, i) => header.writeUInt32BE(length, 4 + 4 * i));
  return Buffer.concat([header, Buffer.from(elements)]);
}

test('an IDX file decodes to its shape and bytes on shared memory', (t) => {
  const task = { path: 'x', dimensions: 2, limit: Infinity };
  const result = decodeIdx(idx([2, 3], [1, 2, 3, 4, 5, 6]), task);
  if ('problem' in result) return t.fail(result.problem);
  t.deepEqual(result.shape, [2, 3]);
  t.deepEqual([...result.data], [1, 2, 3, 4, 5, 6]);
  t.true(result.data.buffer instanceof SharedArrayBuffer);
});

test('a limit takes the first rows of an IDX file', (t) => {
  const task = { path: 'x', dimensions: 2, limit: 1 };
  const result = decodeIdx(idx([2, 3], [1, 2, 3, 4, 5, 6]), task);
  if ('problem' in result) return t.fail(result.problem);
  t.deepEqual(result.shape, [1, 3]);
  t.deepEqual([...result.data], [1, 2, 3]);
});

const damaged: readonly (readonly [string, Uint8Array, string])[] = [
  ['empty', Buffer.alloc(0), 'x is not an IDX file of bytes in 1 dimensions'],
  ['of other dimensions', idx([1, 1], [7]), 'x is not an IDX file of bytes in 1 dimensions'],
  ['cut', idx([3], [1, 2]), 'x should have 11 bytes, it has 10'],
  ['too long', idx([1], [1, 2]), 'x should have 9 bytes, it has 10'],
];
for (const [what, content, problem] of damaged) {
  test(`an IDX file that is ${what} is a problem, said in words`, (t) => {
    t.deepEqual(decodeIdx(content, { path: 'x', dimensions: 1, limit: Infinity }), { problem });
  });
}

test('the full MNIST set decodes: counts, first labels, mean pixel', async (t) => {
  const { training, test: held } = await loadMnist();
  t.is(training.count, 60_000);
  t.is(held.count, 10_000);
  t.is(training.images.length, 60_000 * 784);
  t.deepEqual([...training.labels.subarray(0, 5)], [5, 0, 4, 1, 9]);
  const mean = training.images.reduce((sum, pixel) => sum + pixel, 0) / training.images.length;
  t.is(mean.toFixed(2), '33.32');
});

/** A folder with a small data set, `changes` made to its files. */
async function smallSet(
  t: { teardown(remove: () => Promise<void>): void },
  changes: Readonly<Record<string, Uint8Array>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mnist-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const files = {
    'train-images-idx3-ubyte': idx([3, 28, 28], Array<number>(3 * 784).fill(9)),
    'train-labels-idx1-ubyte': idx([3], [1, 2, 3]),
    't10k-images-idx3-ubyte': idx([1, 28, 28], Array<number>(784).fill(8)),
    't10k-labels-idx1-ubyte': idx([1], [4]),
    ...changes,
  };
  for (const [name, content] of Object.entries(files)) {
    // An empty change stands for a file that is not there.
    if (content.length > 0) await writeFile(join(folder, name), content);
  }
  return folder;
}

test('files may be zipped, and a limit cuts the training images only', async (t) => {
  const folder = await smallSet(t, {
    'train-labels-idx1-ubyte': Buffer.alloc(0),
    'train-labels-idx1-ubyte.gz': gzipSync(idx([3], [3, 2, 1])),
  });
  const { training, test: held } = await loadMnist({ folder, limit: 2 });
  t.deepEqual([...training.labels], [3, 2]);
  t.is(training.images.length, 2 * 784);
  t.deepEqual([...held.labels], [4]);
});

const wrongSets: readonly (readonly [string, Readonly<Record<string, Uint8Array>>, RegExp])[] = [
  ['without a file', { 't10k-labels-idx1-ubyte': Buffer.alloc(0) }, /there is no file .*t10k-lab/],
  ['of other images', { 't10k-images-idx3-ubyte': idx([1, 2, 2], [1, 2, 3, 4]) }, /got 2 x 2$/],
  ['with a label too few', { 'train-labels-idx1-ubyte': idx([2], [1, 2]) }, /got 2 for 3$/],
  ['with a label that is no digit', { 't10k-labels-idx1-ubyte': idx([1], [10]) }, /got 10$/],
];
for (const [what, changes, message] of wrongSets) {
  test(`a data set ${what} is the user's error`, async (t) => {
    const folder = await smallSet(t, changes);
    await t.throwsAsync(loadMnist({ folder }), { instanceOf: UserError, message });
  });
}

test('the data order has every image once, differs by epoch and seed, and repeats', (t) => {
  const order = permutation(1000, 1, 0);
  t.deepEqual(
    order.toSorted(),
    Int32Array.from({ length: 1000 }, (_, i) => i),
  );
  t.deepEqual(permutation(1000, 1, 0), order);
  t.notDeepEqual(permutation(1000, 1, 1), order);
  t.notDeepEqual(permutation(1000, 2, 0), order);
});
