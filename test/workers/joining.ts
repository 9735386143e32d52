import { defineWorker, zeros, type Tensor } from '../../src/index.js';

/** How workers push, how long at least, and a word that says that everybody has joined. */
export interface Joining {
  readonly how: 'awaited' | 'blocking' | 'view';
  readonly rounds: number;
  readonly stops: Tensor;
}

const most = 4;

/**
 * Pushes its unit vector; the stored tensor counts the pushes of each. A worker reports once it has
 * pushed, and goes on until all have joined and it has pushed often enough.
 */
export default defineWorker<Joining, string>(async ({ kv, rank, args, report }) => {
  const { how, rounds } = args;
  await kv.init(['w', 'other'], [zeros(most), zeros(100_000)]);
  await kv.setOptimizer('sgd', { lr: 1 });
  const unit = zeros(most);
  unit.data[rank] = 1;
  const many = zeros(100_000);
  const out = zeros(most);
  let before = 0;
  for (
    let made = 1;
    made <= rounds || Atomics.load(args.stops.data as Int32Array, 0) === 0;
    made++
  ) {
    if (how === 'blocking') {
      kv.pushSync(['w', 'other'], [unit, many]);
      kv.pullSync('w', { out });
    } else {
      await kv.push(['w', 'other'], [unit, many]);
      if (how === 'awaited') {
        await kv.pull('w', { out });
      } else {
        using view = await kv.pull('w', { view: true });
        out.copyFrom(view.to(out.device));
      }
    }
    const counts = Array.from(out.data, (x) => -Number(x));
    if (counts[rank] !== made) return `${counts[rank]} of its pushes, not ${made}`;
    const total = counts.reduce((sum, x) => sum + x, 0);
    if (total <= before) return `went back from ${before} to ${total}`;
    before = total;
    if (made === 5) report('pushing');
    if (how !== 'blocking' && made % 50 === 0)
      await new Promise((resolve) => setImmediate(resolve));
  }
  return 'well';
});
