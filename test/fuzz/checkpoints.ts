import { isReplay, seed } from '../helpers/random.js';
import { fuzzCheckpoints } from './checkpoint-runs.js';

/**
 * Loads mutated checkpoints: `node checkpoints.js [files] [path]`. TENSORKV_SEED replays one file; the
 * path is where it is left, for test/fuzz/corpus.
 */
const count = isReplay ? 1 : Number(process.argv[2] ?? 10_000);
const loaded = await fuzzCheckpoints(seed, count, process.argv[3]);
process.stdout.write(
  `${count} files, ${loaded} loaded, the others refused, TENSORKV_SEED=${seed}\n`,
);
