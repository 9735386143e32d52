import { defineWorker, optim, zeros, type Tensor, type TensorView } from 'tensorkv';
import { awaitCommand, isLastDone, type CommandWords } from '../commands.js';
import { hyper } from './problem.js';
import type { StepWay } from './store.js';

/** What the main thread gives to every device. */
export interface StoreDeviceArgs {
  readonly words: CommandWords;
  /** For each device its gradients, one a key. */
  readonly gradients: readonly (readonly Tensor[])[];
  /** For each device where its results go. */
  readonly outs: readonly (readonly Tensor[])[];
  readonly how: StepWay;
  /** How many rounds there were, then the microseconds of the last ones on device 0, as a ring. */
  readonly times: Float64Array;
}

/** One device: a step over all keys, as often as the main thread says. */
export default defineWorker(async ({ kv, rank, numWorkers, args, report }) => {
  const { words, gradients, outs, how, times: durations } = args as StoreDeviceArgs;
  const [values, out] = [gradients[rank]!, outs[rank]!];
  const keys = values.map((_, key) => key);
  await kv.init(
    keys,
    values.map(({ shape }) => zeros(shape)),
  );
  const { lr, momentum, wd, rescaleGrad } = hyper;
  await kv.setOptimizer(optim.sgd({ lr, momentum, wd, rescaleGrad }));
  let views: readonly TensorView[] = [];
  const step = async (): Promise<void> => {
    if (how === 'pushpull') return void (await kv.pushpull(keys, values, { out }));
    if (how === 'pushpullSync') return void kv.pushpullSync(keys, values, { out });
    if (how === 'push') return kv.pushSync(keys, values);
    for (const view of views) view.release();
    kv.pushSync(keys, values);
    views = kv.pullSync(keys, { view: true });
  };
  for (let seen = 0; ; seen++) {
    // A device thread may block: nothing of the store waits for it here.
    const times = awaitCommand(words, seen);
    if (times === 0) return;
    for (let i = 0; i < times; i++) {
      const begin = performance.now();
      await step();
      if (rank === 0) durations[1 + (durations[0]!++ % (durations.length - 1))] = us(begin);
    }
    // What is not copied out in a step is copied once, so that it can be compared.
    if (seen === 0) views.forEach((view, key) => out[key]!.data.set(view.elements().data));
    if (seen === 0 && how === 'push') await kv.pull(keys, { out });
    if (isLastDone(words, numWorkers)) report('done');
  }
});

function us(begin: number): number {
  return (performance.now() - begin) * 1000;
}
