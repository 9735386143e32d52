import { createKVStore, optim, zeros } from 'tensorkv';
import { repeatAsync, type Variant } from '../harness.js';
import { cut, hyper, stepAnswer, type StepProblem } from './problem.js';

/**
 * The step as one caller makes it: a `local` store that is given every device's values for each key,
 * and writes the results to as many outs.
 */
export async function localSteps({ sizes, gradients }: StepProblem): Promise<{
  readonly variant: Variant;
  close(): Promise<void>;
}> {
  const kv = await createKVStore('local');
  const keys = sizes.map((_, key) => key);
  await kv.init(
    keys,
    sizes.map((size) => zeros([size])),
  );
  const { lr, momentum, wd, rescaleGrad } = hyper;
  await kv.setOptimizer(optim.sgd({ lr, momentum, wd, rescaleGrad }));
  const pieces = gradients.map((gradient) => cut(gradient, sizes));
  const values = sizes.map((size, key) =>
    pieces.map((parts) => {
      const value = zeros([size]);
      value.data.set(parts[key]!);
      return value;
    }),
  );
  const outs = sizes.map((size) => gradients.map(() => zeros([size])));
  const ofDevice = (device: number): Float32Array[] =>
    outs.map((list) => list[device]!.data as Float32Array);
  return {
    variant: {
      run: repeatAsync(() => kv.pushpull(keys, values, { out: outs })),
      check: { answer: () => stepAnswer(gradients.map((_, device) => ofDevice(device))) },
    },
    close: () => kv.close(),
  };
}
