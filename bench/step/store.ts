import { launch, zeros, type Tensor, type WorkerGroup } from 'tensorkv';
import { Commands } from '../commands.js';
import type { Variant } from '../harness.js';
import { cut, stepAnswer, type StepProblem } from './problem.js';
import type { StoreDeviceArgs } from './store-device.js';

/** How devices step. */
export type StepWay =
  /** One awaited `pushpull` of all keys into tensors of their own. */
  | 'pushpull'
  /** The same, blocking. */
  | 'pushpullSync'
  /** A blocking push, then a pull of views; the views of the step before are released first. */
  | 'view'
  /** A blocking push alone; what it left is pulled once, to be compared. */
  | 'push';

/** Rounds whose times are kept. */
const timedRounds = 2 ** 16;

/** The step as the store does it, on every device of a launched `dist_sync` group. */
export async function storeSteps(
  problem: StepProblem,
  { how }: { readonly how: StepWay },
): Promise<{ readonly variant: Variant; close(): Promise<void> }> {
  const { sizes, devices, gradients } = problem;
  const commands = new Commands();
  const args: StoreDeviceArgs = {
    words: commands.words,
    gradients: gradientsOf(problem),
    outs: gradients.map(() => tensorsOf(sizes)),
    how,
    times: new Float64Array(new SharedArrayBuffer((timedRounds + 1) * 8)),
  };
  const group = await launch(new URL('./store-device.js', import.meta.url), {
    devices,
    type: 'dist_sync',
    args,
  });
  const heard = hear(group, commands);
  const outs = args.outs.map((tensors) => tensors.map(({ data }) => data as Float32Array));
  return {
    variant: {
      run: (times) => commands.start(times),
      check: { answer: () => stepAnswer(outs) },
      roundsUs: () => args.times.slice(1, 1 + Math.min(args.times[0]!, timedRounds)),
    },
    close: async () => {
      commands.stop();
      await heard;
    },
  };
}

const known = new WeakMap<StepProblem, Tensor[][]>();

/** The gradients of every device as tensors. They are large and only read: all ways to step share them. */
function gradientsOf(problem: StepProblem): readonly (readonly Tensor[])[] {
  const { sizes, gradients } = problem;
  const made =
    known.get(problem) ??
    gradients.map((gradient) => {
      const parts = cut(gradient, sizes);
      return tensorsOf(sizes).map((tensor, i) => {
        tensor.data.set(parts[i]!);
        return tensor;
      });
    });
  known.set(problem, made);
  return made;
}

function tensorsOf(sizes: readonly number[]): Tensor[] {
  return sizes.map((size) => zeros([size]));
}

async function hear(group: WorkerGroup, commands: Commands): Promise<void> {
  for await (const event of group) {
    if (event.type === 'report') commands.done();
    else if (event.type === 'lost') commands.lose(event.error);
  }
  commands.lose(new Error('the devices of the group have ended'));
}
