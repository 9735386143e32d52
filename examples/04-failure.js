// @ts-check
// One of four devices dies in its third round (04-failure-worker.js). Under onDeath 'abort' the
// survivors' calls of that round reject with the code peer_dead, and the stored tensor stays as it
// was; under 'continue' the round closes with the three that are left. Nobody waits for ever.
//
// prints:
//   onDeath: 'abort'
//     lost: rank 2 was lost: Error: out of luck
//     rank 0 saw 4, 4, peer_dead of rank 2; at last 4
//     rank 1 saw 4, 4, peer_dead of rank 2; at last 4
//     rank 3 saw 4, 4, peer_dead of rank 2; at last 4
//     done rejected: peer_dead, rank 2
//   onDeath: 'continue'
//     lost: rank 2 was lost: Error: out of luck
//     rank 0 saw 4, 4, 3, 3; at last 3
//     rank 1 saw 4, 4, 3, 3; at last 3
//     rank 3 saw 4, 4, 3, 3; at last 3
//     done: the result of rank 2 is undefined
import { KVStoreError, launch } from 'tensorkv';

for (const onDeath of /** @type {const} */ (['abort', 'continue'])) {
  console.log(`onDeath: '${onDeath}'`);
  const group = await launch(new URL('./04-failure-worker.js', import.meta.url), {
    devices: 4,
    onDeath,
    args: { rounds: 4, deadlyRound: 3, deadlyRank: 2 },
  });
  try {
    /** @type {string[]} */
    const seen = [];
    for await (const event of group) {
      if (event.type === 'lost') console.log(`  lost: ${event.error.message}`);
      if (event.type === 'finished') seen[event.rank] = `  rank ${event.rank} saw ${event.result}`;
    }
    for (const line of seen) if (line) console.log(line);
    const results = await group.done;
    console.log(`  done: the result of rank 2 is ${results[2]}`);
  } catch (error) {
    if (!(error instanceof KVStoreError)) throw error;
    console.log(`  done rejected: ${error.code}, rank ${error.rank}`);
  } finally {
    await group.stop();
  }
}
