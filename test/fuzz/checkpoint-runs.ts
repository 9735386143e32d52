import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointFiles, openCheckpoint, totalBytes } from '../../actors/checkpoint-file.js';
import {
  createKVStore,
  full,
  KVStoreError,
  ones,
  optim,
  rowSparse,
  zeros,
} from '../../src/index.js';
import { Random } from '../helpers/random.js';
import { mutate } from './checkpoint-mutations.js';

const open = () => createKVStore('local', { coordinator: 'inline' });

/** Files of each kind that a store writes or reads. */
async function models(folder: string): Promise<Uint8Array[]> {
  const dense = await open();
  await dense.init(
    ['w', '__proto__', 'b'],
    [ones([2, 3]), zeros(3), full(2, 7, { dtype: 'int8' })],
  );
  await dense.setOptimizer(optim.adam({ lr: 0.1, lrMult: { w: 2 } }));
  await dense.push('w', ones([2, 3]));
  await dense.save(join(folder, 'dense'));
  await dense.close();

  const sparse = await open();
  await sparse.init(3, rowSparse({ shape: [10, 2], indices: [1, 4], rows: ones([2, 2]) }));
  await sparse.setOptimizer(optim.sgd({ lr: 0.1, momentum: 0.9 }));
  await sparse.push(3, rowSparse({ shape: [10, 2], indices: [4, 7], rows: ones([2, 2]) }));
  await sparse.save(join(folder, 'sparse'));
  await sparse.close();

  // One of other people: no metadata.
  const foreign = [
    { name: 'layer.0', dtype: 'float16', shape: [4], bytes: new Uint8Array(8) },
  ] as const;
  checkpointFiles.write(join(folder, 'foreign'), foreign, new Map());
  const text = readFileSync(join(folder, 'foreign'));
  return [readFileSync(join(folder, 'dense')), readFileSync(join(folder, 'sparse')), text];
}

/** What `load` says that it rejects with; the others are for what a sound file asks too much of. */
const codes = ['bad_checkpoint', 'unknown_optimizer', 'mixed_key_types', 'memory_limit'];

/** What a file is allowed to make of a store: it is loaded, or refused. */
async function outcome(load: Promise<void>): Promise<'loaded' | 'refused'> {
  try {
    await load;
    return 'loaded';
  } catch (error) {
    assert(error instanceof KVStoreError, `expected a KVStoreError, got ${String(error)}`);
    assert(codes.includes(error.code), `${error.code}: ${error.message}`);
    return 'refused';
  }
}

/** What the file says that it holds is no more than it has: so much is all that is allocated. */
function assertSize(path: string, bytes: number): void {
  try {
    const checkpoint = openCheckpoint(path);
    const total = totalBytes(checkpoint.tensors.values());
    checkpoint.close();
    assert(total <= bytes, `${bytes} bytes are said to hold ${total}`);
  } catch (error) {
    if (!(error instanceof KVStoreError && error.code === 'bad_checkpoint')) throw error;
  }
}

/** Loads one file into a fresh store, as a store and as optimizer states. */
export async function loadFile(path: string): Promise<'loaded' | 'refused'> {
  assertSize(path, readFileSync(path).length);
  const store = await open();
  try {
    return await outcome(store.load(path));
  } finally {
    await store.close();
  }
}

/**
 * Loads `count` mutated files; gives how many were loaded. Names the seed of one that is not right.
 * `saveAs`: where the last of them is left.
 */
export async function fuzzCheckpoints(
  start: number,
  count: number,
  saveAs?: string,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-fuzz-'));
  const path = join(folder, 'mutant');
  let loaded = 0;
  try {
    const files = await models(folder);
    for (let run = 0; run < count; run++) {
      const random = new Random(start + run);
      const file = mutate(random, random.pick(files));
      writeFileSync(path, file);
      if (saveAs !== undefined) writeFileSync(saveAs, file);
      try {
        if ((await loadFile(path)) === 'loaded') loaded += 1;
      } catch (error) {
        const what = `TENSORKV_SEED=${start + run} makes a file that is not refused well`;
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      }
    }
    return loaded;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
