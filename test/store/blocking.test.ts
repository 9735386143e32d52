import test from 'ava';
import { createKVStore, zeros, type KVStoreError } from '../../src/index.js';
import { launchProgram } from '../helpers/workers.js';
import type { Seen } from '../workers/blocking.js';

for (const devices of [1, 2, 4]) {
  test.serial(`D1: ${devices} devices train with blocking calls alone`, async (t) => {
    const group = await launchProgram<Seen>(t, 'blocking', { devices });
    const results = await group.done;
    const ranks = Array.from({ length: devices }, (_, rank) => rank);
    const sumOf = (of: (rank: number) => number): number =>
      ranks.reduce((sum, rank) => sum + of(rank), 0);
    const [a, large] = [sumOf((rank) => rank + 1), sumOf((rank) => rank)];
    for (const { sums, views, updated, codes } of results) {
      t.is(sums.length, 200);
      for (let round = 0; round < 50; round++) {
        const expected = [a, large, round, a];
        if (String(sums.slice(4 * round, 4 * round + 4)) !== String(expected)) {
          t.fail(`round ${round}: ${sums.slice(4 * round, 4 * round + 4)}, not ${expected}`);
        }
      }
      t.deepEqual([...new Set(views)], [large]);
      t.is(updated, a + 2 * devices);
      t.deepEqual(codes, ['unknown_key', 'shape_mismatch', 'bad_argument', 'closed']);
    }
  });
}

test('the main thread never blocks', async (t) => {
  await using kv = await createKVStore('local');
  await kv.init('a', zeros(1));
  const error = t.throws<KVStoreError>(() => kv.pullSync('a'));
  t.is(error.code, 'unsupported');
  t.regex(error.message, /worker thread/);
});
