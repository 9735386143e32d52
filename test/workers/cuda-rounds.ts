import { setTimeout as delay } from 'node:timers/promises';
import {
  cpu,
  defineWorker,
  full,
  KVStoreError,
  zeros,
  type AnyTensor,
  type Device,
  type Tensor,
} from '../../src/index.js';
import { first, second, tameTensor } from '../helpers/cuda-tensors.js';

export interface Args {
  readonly onCuda: boolean;
  /** All on one device, with the same tensors in every round. */
  readonly together?: boolean;
  readonly seed: number;
  readonly rounds: number;
  /** Who ends in the middle of it, and how. */
  readonly dies?: { readonly rank: number; readonly how: 'throw' | 'exit' | 'terminate' };
  readonly start: AnyTensor;
}

/** Trains some keys on tensors of devices; its result is what it pulled last, on its device. */
export default defineWorker<Args, unknown>(
  async ({ kv, rank, incarnation, args, numWorkers, report }) => {
    const { onCuda, together = false } = args;
    const place = together ? 0 : rank % 3;
    const device: Device = onCuda ? [first, second, cpu(2)][place]! : cpu(place);
    const keys = [0, 1, 2, 3, 4];
    const outs: Tensor[] = keys.map((key) => zeros([100 + key], { device }));
    await kv.init(
      keys,
      keys.map((key) => full([100 + key], 1, { device: rank === 0 ? device : cpu() })),
    );
    await kv.setOptimizer('adam', { lr: 0.1, rescaleGrad: 1 / numWorkers });
    let failures = 0;
    const kept = keys.map((key) => zeros([100 + key], { device }));
    for (let round = 0; round < args.rounds; round++) {
      const gradients = keys.map((key) =>
        tameTensor('float32', [100 + key], args.seed + 100 * round + 10 * rank + key).to(device),
      );
      if (together) gradients.forEach((gradient, key) => kept[key]!.copyFrom(gradient));
      const call = kv.pushpull(keys, together ? kept : gradients, { out: outs });
      if (args.dies?.rank === rank && round === 2 && incarnation === 0) {
        call.catch(() => undefined);
        if (args.dies.how === 'throw') throw new Error('as it was told');
        if (args.dies.how === 'exit') process.exit(1);
        report('ready');
        await delay(60_000); // Somebody ends this thread.
      }
      try {
        await call;
      } catch (error) {
        if (!(error instanceof KVStoreError) || error.code !== 'peer_dead') throw error;
        failures += 1;
      }
      if (rank === 0) report(outs[0]!.mul(2));
    }
    return { outs, start: args.start.add(rank), failures };
  },
);
