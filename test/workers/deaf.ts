import { setImmediate } from 'node:timers/promises';
import { defineWorker } from '../../src/index.js';

const changes = 1000;

/** Rank 0 changes the rate many times, while rank 1 reads nothing; returns the last rate it knows. */
export default defineWorker<{ flag: Int32Array }, number>(async ({ kv, rank, args }) => {
  await kv.setOptimizer('sgd', { lr: 0.5 });
  if (rank === 0) {
    await kv.barrier();
    for (let i = 1; i <= changes; i++) kv.optimizer.lr = i;
    await kv.flush();
    Atomics.store(args.flag, 0, 1);
    Atomics.notify(args.flag, 0); // At the other side: rank 1.
  } else {
    await kv.barrier();
    Atomics.wait(args.flag, 0, 0);
    while (kv.optimizer.lr !== changes) await setImmediate();
  }
  return kv.optimizer.lr as number;
});
