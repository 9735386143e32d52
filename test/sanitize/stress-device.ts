import assert from 'node:assert/strict';
import { defineWorker, full, optim, zeros, type Tensor } from '../../src/index.js';
import { Random } from '../helpers/random.js';

export interface StressArgs {
  readonly seed: number;
  readonly rounds: number;
  /** The rank that ends in the middle of a round, or -1. */
  readonly mortal: number;
  /** Whether each push is a round of all; else devices go on by themselves. */
  readonly isSync: boolean;
}

/** A few elements, a few cache lines, and more than one chunk. */
const lengths = [3, 700, 400_000];
const burst = 20;

/** All elements of a pushed tensor are the same, so a torn pull shows. */
function assertWhole({ data }: Tensor): void {
  for (const i of [1, data.length >> 1, data.length - 1]) assert.equal(data[i], data[0]);
}

/** Makes calls of all kinds, the same as every other device; gives how many. */
export default defineWorker<StressArgs, number>(async ({ kv, rank, args, report }) => {
  const random = new Random(args.seed); // The same on every device, so that rounds close.
  const keys = lengths.map((_, key) => key);
  const values = lengths.map((length) => full(length, rank + 1));
  const outs = lengths.map((length) => zeros(length));
  await kv.init(
    keys,
    lengths.map((length) => zeros(length)),
  );
  if (!args.isSync) await kv.setOptimizer(optim.sgd({ lr: 0.5 }));
  const death = rank === args.mortal ? Math.floor(args.rounds / 2) : args.rounds;
  let calls = 1;
  for (let round = 0; round < args.rounds; round++) {
    if (round === 2) report('under way');
    if (round === death) {
      void kv.push(keys, values);
      process.exit(0);
    }
    const key = random.integer(lengths.length);
    switch (random.integer(args.isSync ? 6 : 5)) {
      case 0:
        await kv.pushpull(keys, values, { out: outs });
        break;
      case 1:
        kv.pushpullSync(keys, values, { out: outs });
        break;
      case 2:
        await Promise.all([kv.push(key, values[key]!), kv.pull(key)]);
        break;
      case 3: {
        const view = await kv.pull(key, { view: true });
        const pushed = kv.push(key, values[key]!);
        assertWhole(await kv.pull(key));
        await pushed;
        view.release();
        break;
      }
      case 4:
        for (let i = 0; i < burst; i++) kv.pushSync(0, values[0]!);
        calls += burst;
        break;
      case 5:
        await kv.setOptimizer(optim.sgd({ lr: 2 ** -random.integer(9) }));
        break;
    }
    calls += 1;
    for (const out of outs) assertWhole(out);
  }
  await kv.close();
  return calls;
});
