import { performance } from 'node:perf_hooks';
import { isReplay, seed } from '../helpers/random.js';
import { fuzzCheckpoints } from './checkpoint-runs.js';

/**
 * Reads mutated checkpoints, and loads one of a thousand: `node checkpoints.js [files] [path]`.
 * TENSORKV_SEED replays one file; the path is where it is left, for test/fuzz/corpus.
 */
const count = isReplay ? 1 : Number(process.argv[2] ?? 100_000);
Error.stackTraceLimit = isReplay ? 10 : 0;
const startedMs = performance.now();
const { read, loaded } = await fuzzCheckpoints({
  start: seed,
  count,
  loadEach: 1000,
  saveAs: process.argv[3],
});
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
process.stdout.write(
  `${count} files, ${read} read, ${loaded} loaded, ${seconds} s, TENSORKV_SEED=${seed}\n`,
);
