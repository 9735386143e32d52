import test from 'ava';
import { createKVStore, zeros, type KVStoreError } from '../../src/index.js';
import { launchProgram } from '../helpers/workers.js';
import type { Ending } from '../workers/blocked.js';
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

for (const [how, onDeath, expected] of [
  ['throw', 'abort', 'peer_dead 0 1'],
  ['exit', 'abort', 'peer_dead 0 1'],
  ['throw', 'continue', '2 2,2 2'],
  ['exit', 'continue', '2 2,2 2'],
  ['stall', 'abort', 'peer_dead 0 1'],
  ['stall', 'continue', '2 2,2 2'],
  ['work', 'abort', 'timeout 0 1'],
  ['leave', 'abort', '2 2,2 2'],
] as const) {
  test.serial(`D6: devices that block hear of one that ends by ${how}, ${onDeath}`, async (t) => {
    const args: Ending = { how, round: 20 };
    const options = {
      devices: 3,
      args,
      onDeath,
      timeoutMs: how === 'stall' || how === 'work' ? 4000 : 20_000,
    };
    const group = await launchProgram<string>(t, 'blocked', options);
    const results = new Map<number, string>();
    for await (const event of group) {
      if (event.type === 'finished') results.set(event.rank, event.result as string);
      if (results.has(0) && results.has(2) && how === 'work') break;
    }
    t.deepEqual([results.get(0), results.get(2)], [expected, expected]);
  });
}

test('the main thread never blocks', async (t) => {
  await using kv = await createKVStore('local');
  await kv.init('a', zeros(1));
  const error = t.throws<KVStoreError>(() => kv.pullSync('a'));
  t.is(error.code, 'unsupported');
  t.regex(error.message, /worker thread/);
});
