import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { seed } from '../helpers/random.js';
import { fuzzCheckpoints, loadFile } from './checkpoint-runs.js';

// Beside the source: what was found is not compiled.
const corpus = fileURLToPath(new URL('../../../test/fuzz/corpus', import.meta.url));

for (const name of readdirSync(corpus)) {
  test(`S16: a file that was once not refused well is now: ${name}`, async (t) => {
    t.is(await loadFile(join(corpus, name)), 'refused');
  });
}

test('S16: mutated checkpoints are loaded or refused, and nothing else', async (t) => {
  t.log(`TENSORKV_SEED=${seed}`);
  const { loaded } = await fuzzCheckpoints({ start: seed, count: 200, loadEach: 1 });
  t.true(loaded < 200);
});
