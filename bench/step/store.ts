import { launch, zeros, type Tensor, type WorkerGroup } from 'tensorkv';
import { Commands } from '../commands.js';
import type { Variant } from '../harness.js';
import { cut, stepAnswer, type StepProblem } from './problem.js';
import type { StoreDeviceArgs } from './store-device.js';

/** The step as the store does it: one `pushpull` of all keys on every device of a launched group. */
export async function storeSteps(
  { sizes, devices, gradients }: StepProblem,
  type: string,
): Promise<{ readonly variant: Variant; close(): Promise<void> }> {
  const commands = new Commands();
  const tensorsOf = (): Tensor[] => sizes.map((size) => zeros([size]));
  const args: StoreDeviceArgs = {
    words: commands.words,
    gradients: gradients.map((gradient) => {
      const parts = cut(gradient, sizes);
      return tensorsOf().map((tensor, i) => {
        tensor.data.set(parts[i]!);
        return tensor;
      });
    }),
    outs: gradients.map(tensorsOf),
  };
  const group = await launch(new URL('./store-device.js', import.meta.url), {
    devices,
    type,
    args,
  });
  const heard = hear(group, commands);
  const outs = args.outs.map((tensors) => tensors.map(({ data }) => data as Float32Array));
  return {
    variant: {
      run: (times) => commands.start(times),
      check: { answer: () => stepAnswer(outs) },
    },
    close: async () => {
      commands.stop();
      await heard;
    },
  };
}

async function hear(group: WorkerGroup, commands: Commands): Promise<void> {
  for await (const event of group) {
    if (event.type === 'report') commands.done();
    else if (event.type === 'lost') commands.lose(event.error);
  }
  commands.lose(new Error('the devices of the group have ended'));
}
