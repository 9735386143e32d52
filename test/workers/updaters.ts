import { defineWorker, tensor, zeros } from '../../src/index.js';

interface Args {
  /** Of a module, or rank 0's own function without one. */
  readonly url?: string;
}

/** Pushes its rank plus one, twice; returns what it pulls after each. */
export default defineWorker<Args, number[]>(async ({ kv, rank, args }) => {
  await kv.init('w', zeros(1));
  await kv.setUpdater(args.url ?? ((_, input, stored) => void stored.add_(input, 2)));
  const value = tensor([rank + 1]);
  const pulled: number[] = [];
  for (let i = 0; i < 2; i++) {
    const out = await kv.pushpull('w', value, { out: zeros(1) });
    pulled.push(out.data[0]!);
  }
  return pulled;
});
