import { cpu, createKVStore, optim, zeros, type Device } from 'tensorkv';
import { repeatAsync, type Variant } from '../harness.js';
import { cut, hyper, stepAnswer, type StepProblem } from './problem.js';

/** Where the step is made. */
export interface StepPlace {
  readonly type: 'local' | 'device';
  /** Where keys, values and outs live. */
  readonly device: Device;
  /** Does a step as often as it is told, to its end. */
  repeat(step: () => Promise<unknown>): Variant['run'];
}

const onCpu: StepPlace = { type: 'local', device: cpu(), repeat: repeatAsync };

/**
 * The step as one caller makes it: a store that is given every device's values for each key, and writes
 * the results to as many outs.
 */
export async function localSteps(
  { sizes, gradients }: StepProblem,
  { type, device, repeat }: StepPlace = onCpu,
): Promise<{
  readonly variant: Variant;
  close(): Promise<void>;
}> {
  const kv = await createKVStore(type);
  const keys = sizes.map((_, key) => key);
  await kv.init(
    keys,
    sizes.map((size) => zeros([size], { device })),
  );
  const { lr, momentum, wd, rescaleGrad } = hyper;
  await kv.setOptimizer(optim.sgd({ lr, momentum, wd, rescaleGrad }));
  const pieces = gradients.map((gradient) => cut(gradient, sizes));
  const values = sizes.map((size, key) =>
    pieces.map((parts) => {
      const value = zeros([size]);
      value.data.set(parts[key]!);
      return device.type === 'cpu' ? value : value.to(device);
    }),
  );
  const outs = sizes.map((size) => gradients.map(() => zeros([size], { device })));
  const ofSource = (source: number): Float32Array[] =>
    outs.map((list) => list[source]!.toFloat32());
  return {
    variant: {
      run: repeat(() => kv.pushpull(keys, values, { out: outs })),
      check: { answer: () => stepAnswer(gradients.map((_, source) => ofSource(source))) },
    },
    close: () => kv.close(),
  };
}
