import { defineWorker, ones, tensor } from '../../src/index.js';

/** Pushes ten times and meets the others; returns what is stored then. */
export default defineWorker<undefined, number>(async ({ kv, rank }) => {
  await kv.init('w', tensor([100 + rank]));
  await kv.setOptimizer('sgd', { lr: 1 });
  await Promise.all(Array.from({ length: 10 }, () => kv.push('w', ones(1))));
  await kv.barrier();
  return (await kv.pull('w')).data[0]!;
});
