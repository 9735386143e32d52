// @ts-check
// The program of one device of 04-failure.js. Every round each device pushes ones, so the stored sum
// tells how many devices took part.
import { defineWorker, KVStoreError, ones, zeros } from 'tensorkv';

export default defineWorker(async ({ kv, rank, args }) => {
  const { rounds, deadlyRound, deadlyRank } =
    /** @type {{ rounds: number, deadlyRound: number, deadlyRank: number }} */ (args);
  await kv.init('sum', zeros([1]));

  /** @type {(number | string)[]} */
  const seen = [];
  for (let round = 1; round <= rounds; round++) {
    if (rank === deadlyRank && round === deadlyRound) throw new Error('out of luck');
    try {
      const [sum = NaN] = (await kv.pushpull('sum', ones([1]))).data;
      seen.push(sum);
    } catch (error) {
      if (!(error instanceof KVStoreError)) throw error;
      seen.push(`${error.code} of rank ${error.rank}`);
      break;
    }
  }
  // The store goes on: what was applied before is all there.
  const stored = await kv.pull('sum');
  return `${seen.join(', ')}; at last ${stored.data[0]}`;
});
