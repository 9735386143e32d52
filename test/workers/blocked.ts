import { defineWorker, KVStoreError, ones, zeros } from '../../src/index.js';

/** How rank 1 ends, and after how many rounds. */
export interface Ending {
  readonly how: 'throw' | 'exit' | 'stall' | 'work' | 'leave';
  readonly round: number;
}

const rounds = 60;
const large = 300_000;

/** Steps with blocking calls until they fail; returns the failure, or the last sums. */
export default defineWorker<Ending, string>(async ({ kv, rank, args }) => {
  const lengths = [4, large];
  await kv.init(
    [0, 1],
    lengths.map((length) => zeros(length)),
  );
  const values = lengths.map((length) => ones(length));
  const out = lengths.map((length) => zeros(length));
  for (let round = 0; round < rounds; round++) {
    if (rank === 1 && round === args.round) {
      if (args.how === 'throw') throw new Error('it had to be');
      if (args.how === 'exit') process.exit(0);
      if (args.how === 'leave') return 'left';
      // Keeps the thread; the group's end stops it.
      setInterval(() => (args.how === 'work' ? kv.pullSync(0) : undefined), 100);
      await new Promise(() => undefined);
    }
    try {
      kv.pushpullSync([0, 1], values, { out });
    } catch (error) {
      const { code, key } = error as KVStoreError;
      return `${code} ${key} ${(error as KVStoreError).rank}`;
    }
  }
  return out.map(({ data }) => `${data[0]} ${data.at(-1)}`).join();
});
