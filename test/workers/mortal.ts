import { setTimeout as delay } from 'node:timers/promises';
import { defineWorker, full, zeros, type KVStore } from '../../src/index.js';

/** Which worker dies, how, at which point in each of its lives, and how many rounds there are. */
export interface Mortal {
  readonly how: 'throw' | 'exit' | 'terminate' | 'stall';
  readonly rank: number;
  readonly points: readonly Point[];
  readonly rounds: number;
}

type Point = 'start' | 'set up' | 'in a round' | 'between rounds';

const keys = ['a', 'b'];
const length = 20_000;

/** How many rounds of a key have closed. */
async function roundOf(kv: KVStore, key: string): Promise<number> {
  const view = await kv.pull(key, { view: true });
  view.release();
  return view.version;
}

/** Pushes rank-independent numbers round by round; a life goes on where the store is. */
export default defineWorker<Mortal, string>(async ({ kv, rank, incarnation, args, report }) => {
  const point = rank === args.rank ? args.points[incarnation] : undefined;
  const dieAt = async (here: Point): Promise<void> => {
    if (here !== point) return;
    if (args.how === 'exit') process.exit(0);
    if (args.how === 'throw') throw new RangeError('a fault');
    if (args.how === 'terminate') report('terminate me');
    await delay(2 ** 30);
  };
  await dieAt('start');
  await kv.init(
    keys,
    keys.map(() => zeros(length)),
  );
  await dieAt('set up');
  await kv.setOptimizer('sgd', { lr: 1 });
  const next = await Promise.all(keys.map((key) => roundOf(kv, key)));
  for (let round = Math.min(...next); round < args.rounds; round++) {
    // A life before this one may have pushed some of the keys.
    const open = keys.filter((_, i) => next[i]! <= round);
    const values = open.map(() => full(length, round + 1));
    if (point === 'in a round') {
      void kv.push(open[0]!, values[0]!);
      await dieAt(point);
    }
    await kv.push(open, values);
    if (round > next[0]! + 2) await dieAt('between rounds');
  }
  const out = await kv.pull(keys);
  return out.map(({ data }) => String(data.at(-1))).join(' ');
});
