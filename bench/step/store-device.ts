import { defineWorker, optim, zeros, type Tensor } from 'tensorkv';
import { awaitCommand, isLastDone, type CommandWords } from '../commands.js';
import { hyper } from './problem.js';

/** What the main thread gives to every device. */
export interface StoreDeviceArgs {
  readonly words: CommandWords;
  /** For each device its gradients, one a key. */
  readonly gradients: readonly (readonly Tensor[])[];
  /** For each device where its results go. */
  readonly outs: readonly (readonly Tensor[])[];
}

/** One device: a `pushpull` of all keys, as often as the main thread says. */
export default defineWorker(async ({ kv, rank, numWorkers, args, report }) => {
  const { words, gradients, outs } = args as StoreDeviceArgs;
  const [values, out] = [gradients[rank]!, outs[rank]!];
  const keys = values.map((_, key) => key);
  await kv.init(
    keys,
    values.map(({ shape }) => zeros(shape)),
  );
  const { lr, momentum, wd, rescaleGrad } = hyper;
  await kv.setOptimizer(optim.sgd({ lr, momentum, wd, rescaleGrad }));
  for (let seen = 0; ; seen++) {
    // A device thread may block: nothing of the store waits for it here.
    const times = awaitCommand(words, seen);
    if (times === 0) return;
    for (let i = 0; i < times; i++) await kv.pushpull(keys, values, { out });
    if (isLastDone(words, numWorkers)) report('done');
  }
});
