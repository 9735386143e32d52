import { defineWorker, tensor, zeros, type Tensor } from '../../src/index.js';
import { Random } from '../helpers/random.js';

interface Args {
  readonly seed: number;
  readonly keys: number;
  readonly rounds: number;
}

/** What rank `rank` pushes to `key` in `round`: integers, so sums of any order are exact. */
const pushed = (rank: number, key: number, round: number): number[] => [
  (rank + 1) * (key + 1) + round,
  rank * 1000 + key,
];

/** Pushes every key once a round in an order of its own; returns how many pulls were wrong. */
export default defineWorker<Args, number>(async ({ kv, rank, numWorkers, args }) => {
  const random = new Random(args.seed + rank);
  const keys = Array.from({ length: args.keys }, (_, key) => key);
  await kv.init(
    keys,
    keys.map(() => zeros(2)),
  );
  let wrong = 0;
  for (let round = 0; round < args.rounds; round++) {
    const outs = new Map<number, Tensor>();
    const calls = random.shuffled(keys).flatMap((key) => {
      const out = zeros(2);
      outs.set(key, out);
      const push = kv.push(key, tensor(pushed(rank, key, round)));
      return [push, kv.pull(key, { out })];
    });
    await Promise.all(calls);
    for (const [key, out] of outs) {
      const sum = [0, 0];
      for (let each = 0; each < numWorkers; each++) {
        pushed(each, key, round).forEach((x, i) => (sum[i]! += x));
      }
      if (out.data[0] !== sum[0] || out.data[1] !== sum[1]) wrong += 1;
    }
  }
  return wrong;
});
