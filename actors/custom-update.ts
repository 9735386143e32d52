import type { DeviceArray, Elements } from '../src/core/device-array.js';
import { computeDtype, type DType } from '../src/core/dtypes.js';
import { copyElements, onHost } from '../src/core/elements.js';
import { showKey } from '../src/core/errors.js';
import type { CustomStep, CustomUpdate } from '../src/core/optimizers/custom.js';
import type { FloatData } from '../src/core/optimizers/kernel.js';
import type { CommonOptions } from '../src/core/optimizers/optimizer.js';
import { Tensor } from '../src/core/tensor.js';
import { runUpdater } from '../src/core/updaters.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import { runWithin } from './time-limit.js';
import type { Workspace } from './workspace.js';

type Floats = FloatData | DeviceArray;

/** The buffers and numbers of one update by a custom optimizer. */
export interface CustomArguments {
  readonly inputs: readonly Elements[];
  readonly master: Floats | undefined;
  readonly average: Floats | undefined;
  readonly slots: Readonly<Record<string, Floats>>;
  readonly options: CommonOptions;
  /** What gradients are multiplied by, beside `rescaleGrad`. */
  readonly factor: number;
  readonly moment: Pick<CustomStep, 'lr' | 'wd' | 'count'>;
}

/** Runs optimizers that are JavaScript: they see the sum, weights and slots as tensors. */
export class CustomUpdates {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #timeoutMs: number;

  constructor(kernels: Kernels, workspace: Workspace, timeoutMs: number) {
    this.#kernels = kernels;
    this.#workspace = workspace;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Updates the stored tensor and the slots in place. When it throws (`updater_error`,
   * `memory_limit`) they may be half changed: the caller puts them back.
   */
  run(entry: Entry, update: CustomUpdate, args: CustomArguments): void {
    const { key, like } = entry;
    const compute = computeDtype(like.dtype);
    const stored = entry.heldPart(entry.stored);
    const made: Elements[] = [];
    const room = (what: string): Elements => {
      const purpose = { dtype: compute, length: stored.length, place: like.device, key };
      const buffer = this.#workspace.reserve({ ...purpose, what: `${what} of ${showKey(key)}` });
      made.push(buffer);
      return buffer;
    };
    try {
      const gradient = this.#gradient(like.dtype, args, room);
      const weight = compute === like.dtype ? stored : (args.master ?? room('the weights'));
      if (compute !== like.dtype && args.master === undefined) {
        this.#kernels.cast(stored, weight, like.dtype, compute);
      }
      this.#update(entry, update, { gradient, weight }, args);
      if (compute !== like.dtype) this.#kernels.cast(weight, stored, compute, like.dtype);
      if (args.average) moveAverage(args.average, weight, args.options.ema!);
    } finally {
      for (const buffer of made) this.#workspace.release(buffer);
    }
  }

  /** The sum of the inputs in the type of the computation, rescaled and clipped. */
  #gradient(
    dtype: DType,
    { inputs, options, factor }: CustomArguments,
    room: (what: string) => Elements,
  ): Elements {
    const sum = room('the gradient');
    const compute = computeDtype(dtype);
    const wide = inputs.map((input) => {
      if (compute === dtype) return input;
      const cast = room('the gradient');
      this.#kernels.cast(input, cast, dtype, compute);
      return cast;
    });
    this.#kernels.reduceSum(wide, sum, compute);
    const scale = options.rescaleGrad * factor;
    const clip = options.clipGradient ?? Infinity;
    if (scale === 1 && clip === Infinity) return sum;
    const g = onHost(sum) as FloatData;
    for (let i = 0; i < g.length; i++) g[i] = Math.max(-clip, Math.min(clip, g[i]! * scale));
    if (g !== sum) copyElements(g, sum);
    return sum;
  }

  #update(
    { key, like, heldShape: shape }: Entry,
    update: CustomUpdate,
    { gradient, weight }: Readonly<Record<'gradient' | 'weight', Elements>>,
    { slots, options, moment }: CustomArguments,
  ): void {
    const dtype = computeDtype(like.dtype);
    const tensorOn = (data: Elements): Tensor =>
      Tensor.fromHandle({ shape, dtype, device: like.device, data });
    const step: CustomStep = {
      key,
      gradient: tensorOn(gradient),
      weight: tensorOn(weight),
      slots: Object.fromEntries(
        Object.entries(slots).map(([name, data]) => [name, tensorOn(data)] as const),
      ),
      ...moment,
      options: options as CustomStep['options'],
    };
    runWithin(this.#timeoutMs, key, () =>
      runUpdater(() => update(step), key, step.gradient, step.weight),
    );
  }
}

/** `average = share * average + (1 - share) * weight`. */
function moveAverage(average: Elements, weight: Elements, share: number): void {
  const [a, w] = [onHost(average) as FloatData, onHost(weight) as FloatData];
  for (let i = 0; i < a.length; i++) a[i] = share * a[i]! + (1 - share) * w[i]!;
  if (a !== average) copyElements(a, average);
}
