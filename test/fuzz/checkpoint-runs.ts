import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointFiles } from '../../actors/checkpoint-file.js';
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
import { readFile } from './checkpoint-reader.js';

const open = () => createKVStore('local', { coordinator: 'inline' });

/** Files of each kind that a store writes or reads. */
async function models(folder: string): Promise<Buffer[]> {
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

/** Loads one file into a fresh store. */
export async function loadFile(path: string): Promise<'loaded' | 'refused'> {
  const store = await open();
  try {
    return await outcome(store.load(path));
  } finally {
    await store.close();
  }
}

/** How a run of the fuzzer goes. */
export interface FuzzOptions {
  /** Files, of the seeds `start`, `start + 1` and so on: one seed replays one file. */
  readonly start: number;
  readonly count: number;
  /** One of so many files is loaded into a store too; the others are only read, which is quicker. */
  readonly loadEach: number;
  /** Where the last file that was loaded is left. */
  readonly saveAs?: string | undefined;
}

/** Files that were read and loaded; all others were refused. */
export interface FuzzCounts {
  read: number;
  loaded: number;
}

/** Reads mutated files, and loads some. Names the seed of one that is not right. */
export async function fuzzCheckpoints(options: FuzzOptions): Promise<FuzzCounts> {
  const { start, count, loadEach } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-fuzz-'));
  const path = options.saveAs ?? join(folder, 'mutant');
  const counts = { read: 0, loaded: 0 };
  try {
    const files = await models(folder);
    for (let run = 0; run < count; run++) {
      const random = new Random(start + run);
      const file = mutate(random, random.pick(files));
      try {
        if (readFile(file) === 'read') counts.read += 1;
        if (run % loadEach > 0) continue;
        writeFileSync(path, file);
        if ((await loadFile(path)) === 'loaded') counts.loaded += 1;
      } catch (error) {
        const what = `TENSORKV_SEED=${start + run} makes a file that is not refused well`;
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      }
    }
    return counts;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
