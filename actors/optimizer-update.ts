import type { DeviceArray, Elements } from '../src/core/device-array.js';
import { computeDtype, dtypeInfo, isHalf } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import { customOf } from '../src/core/optimizers/custom.js';
import type { FloatData } from '../src/core/optimizers/kernel.js';
import { scratchLength } from '../src/core/optimizers/kernels.js';
import {
  momentOf,
  type CommonOptions,
  type Slot,
  type Step,
} from '../src/core/optimizers/optimizer.js';
import { sizeOf, type Shape } from '../src/core/shape.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Kernels } from '../native/kernels.js';
import type { RoundValues } from './round-values.js';
import { CustomUpdates } from './custom-update.js';
import type { Entry } from './entry.js';
import type { Rule } from './rule.js';
import type { Workspace } from './workspace.js';

type Floats = FloatData | DeviceArray;
type OptimizerRule = Rule & { readonly kind: 'optimizer' };

/** Slot names of the library's own: no optimizer has one of them. */
const masterSlot = 'master';
const emaSlot = 'ema';

/** Makes versions by an optimizer: owns what it remembers of each key, and runs its kernel. */
export class OptimizerUpdate {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #custom: CustomUpdates;

  constructor(kernels: Kernels, workspace: Workspace, updaterTimeoutMs: number) {
    this.#kernels = kernels;
    this.#workspace = workspace;
    this.#custom = new CustomUpdates(kernels, workspace, updaterTimeoutMs);
  }

  /** Checks that `rule` can update `entry`. Throws `unsupported`. */
  check(entry: Entry, rule: OptimizerRule): void {
    this.#slotsOf(entry, rule, entry.roomShape);
  }

  /**
   * Checks that `rule` can update `entry`, and allocates the slots and the scratch it needs. Throws
   * `unsupported`, `memory_limit`.
   */
  prepare(entry: Entry, rule: OptimizerRule): void {
    const { key, like, roomShape } = entry;
    const compute = computeDtype(like.dtype);
    for (const { name, shape = roomShape } of this.#slotsOf(entry, rule, roomShape)) {
      if (entry.slots.has(name)) continue;
      const what = `slot ${name} of ${showKey(key)}`;
      const purpose = { dtype: compute, length: sizeOf(shape), place: like.device, what, key };
      const slot = this.#workspace.reserve(purpose);
      entry.slots.set(name, slot);
      entry.newSlots.add(name);
    }
    this.#scratch(entry, rule, this.#stepOf(entry, rule));
  }

  /** Sums `inputs` in order, times `factor`, and updates the stored tensor and the slots. */
  apply(
    entry: Entry,
    rule: OptimizerRule,
    { inputs, rows }: Omit<RoundValues, 'end'>,
    factor: number,
  ): void {
    const { options, optimizer } = rule;
    const { dtype } = entry.like;
    const shape = entry.heldShape;
    const slots = this.#slotsOf(entry, rule, shape);
    this.#dropOthers(entry, slots);
    this.#fillNew(entry, slots);
    // Buffers of a key stored row-sparse have room for more rows than are held.
    const slot = (name: string, slotShape = shape): Floats | undefined =>
      entry.slots.get(name)?.subarray(0, sizeOf(slotShape)) as Floats | undefined;
    const { key, count: before } = entry;
    const own = optimizer.slots(options, shape);
    const custom = customOf(optimizer);
    if (custom !== undefined) {
      const { lr, wd, count } = momentOf(options, { key, shape, count: before, counters: {} });
      this.#custom.run(entry, custom.update!, {
        inputs,
        master: slot(masterSlot),
        average: slot(emaSlot),
        slots: Object.fromEntries(own.map(({ name }) => [name, slot(name)!])),
        options,
        factor,
        moment: { lr, wd, count },
      });
      entry.count += 1;
      return;
    }
    const step = this.#stepOf(entry, rule);
    this.#kernels.step(step.kernel.name, {
      dtype,
      shape,
      inputs,
      rows,
      stored: entry.heldPart(entry.stored),
      master: slot(masterSlot),
      slots: own.map((each) => slot(each.name, each.shape)!),
      scratch: this.#scratch(entry, rule, step),
      average: slot(emaSlot),
      hyper: hyperOf(options, step, factor),
    });
    entry.count += 1;
    entry.counters = step.counters ?? {};
  }

  /**
   * What an update of `entry` by `rule` works on; undefined while there was none yet, which makes some
   * of it, or is refused.
   */
  targets(entry: Entry, rule: OptimizerRule): StepTargets | undefined {
    const { like, slots, newSlots, count } = entry;
    if (count === 0 || newSlots.size > 0) return undefined;
    const own = rule.optimizer.slots(rule.options, like.shape);
    const all = allSlots(rule.optimizer, rule.options, like);
    if (slots.size !== all.length || !all.every(({ name }) => slots.has(name))) return undefined;
    return {
      slots: own.map(({ name }) => slots.get(name)!),
      master: slots.get(masterSlot),
      average: slots.get(emaSlot),
    };
  }

  /** Whether an update of some rows leaves the others alone. */
  isLazy(entry: Entry, rule: OptimizerRule): boolean {
    return rule.options.lazyUpdate && !this.#stepOf(entry, rule).kernel.whole;
  }

  /** The weights to evaluate `entry` with: the moving average, or the optimizer's own. */
  averageOf(entry: Entry, rule: Rule): Elements {
    const name =
      rule.kind !== 'optimizer'
        ? undefined
        : rule.options.ema === undefined
          ? rule.optimizer.average
          : emaSlot;
    if (name === undefined) {
      throw new KVStoreError(
        'bad_argument',
        `pull of the average of ${showKey(entry.key)} expected an optimizer that keeps one (option ` +
          'ema, or schedulefreeadamw)',
        { key: entry.key },
      );
    }
    const slot = entry.newSlots.has(name) ? undefined : entry.slots.get(name);
    if (slot !== undefined) return slot;
    // Before the first update it is what the weights are.
    const { dtype } = entry.like;
    const compute = computeDtype(dtype);
    const purpose = {
      dtype: compute,
      length: entry.stored.length,
      place: entry.like.device,
      what: `the average of ${showKey(entry.key)}`,
      key: entry.key,
    };
    const scratch = this.#workspace.scratch(purpose)?.subarray(0, entry.stored.length);
    if (scratch === undefined || compute === dtype) return entry.stored;
    this.#kernels.cast(entry.stored, scratch, dtype, compute);
    return scratch;
  }

  /** The shape of slot `name` of a tensor; undefined where the optimizer has no such slot. */
  slotShape(
    name: string,
    { dtype, shape }: Pick<TensorHandle, 'dtype' | 'shape'>,
    { optimizer, options }: Pick<OptimizerRule, 'optimizer' | 'options'>,
  ): Shape | undefined {
    const slot = allSlots(optimizer, options, { dtype, shape }).find((each) => each.name === name);
    return slot && (slot.shape ?? shape);
  }

  #stepOf({ key, heldShape, count, counters }: Entry, { optimizer, options }: OptimizerRule): Step {
    const known = count === 0 ? optimizer.counters : counters;
    const target = { key, shape: heldShape, count, counters: known };
    return optimizer.step(options, momentOf(options, target));
  }

  #slotsOf(
    { key, like: { dtype } }: Entry,
    { optimizer, options }: OptimizerRule,
    shape: Shape,
  ): Slot[] {
    if (!dtypeInfo(dtype).floating) {
      throw new KVStoreError(
        'unsupported',
        `${showKey(key)}: optimizer ${optimizer.name} expected a tensor of float32, float64, ` +
          `float16 or bfloat16, got ${dtype}`,
        { key },
      );
    }
    try {
      return allSlots(optimizer, options, { dtype, shape });
    } catch (error) {
      if (!(error instanceof KVStoreError)) throw error;
      throw new KVStoreError(error.code, `${showKey(key)}: ${error.message}`, { key });
    }
  }

  /** Slots that were made since the last update start as they must, now that it is their turn. */
  #fillNew(entry: Entry, slots: readonly Slot[]): void {
    const { dtype } = entry.like;
    for (const { name, init } of slots) {
      if (!entry.newSlots.delete(name) || init === 'zeros') continue;
      const source = name === masterSlot ? undefined : entry.slots.get(masterSlot);
      if (source !== undefined && !entry.newSlots.has(masterSlot)) {
        this.#kernels.copy(source, [entry.slots.get(name)!]);
      } else {
        this.#kernels.cast(entry.stored, entry.slots.get(name)!, dtype, computeDtype(dtype));
      }
    }
  }

  /** Forgets slots that the options no longer ask for. */
  #dropOthers(entry: Entry, slots: readonly Slot[]): void {
    if (entry.slots.size === slots.length) return;
    for (const [name, data] of entry.slots) {
      if (slots.some((slot) => slot.name === name)) continue;
      this.#workspace.release(data);
      entry.slots.delete(name);
      entry.newSlots.delete(name);
    }
  }

  #scratch(
    { key, like: { dtype, device }, heldShape }: Entry,
    { options }: OptimizerRule,
    step: Step,
  ): Floats | undefined {
    return this.#workspace.scratch({
      dtype: computeDtype(dtype),
      length: scratchOf({ dtype, shape: heldShape }, options, step),
      place: device,
      what: `the scratch of ${showKey(key)}`,
      key,
    }) as Floats | undefined;
  }
}

/** The tensors of an update beside the stored one. */
export interface StepTargets {
  readonly slots: readonly Elements[];
  readonly master: Elements | undefined;
  readonly average: Elements | undefined;
}

/** Elements of scratch that a step on a tensor of `shape` needs. */
export function scratchOf(
  { dtype, shape }: Pick<TensorHandle, 'dtype' | 'shape'>,
  { multiPrecision }: CommonOptions,
  { kernel }: Step,
): number {
  return scratchLength(kernel, shape, isHalf(dtype) && !multiPrecision);
}

/** The slots of an optimizer and those of the library. Throws `unsupported` for a shape. */
function allSlots(
  optimizer: OptimizerRule['optimizer'],
  options: CommonOptions,
  { dtype, shape }: Pick<TensorHandle, 'dtype' | 'shape'>,
): Slot[] {
  const slots = [...optimizer.slots(options, shape)];
  if (options.multiPrecision && isHalf(dtype)) slots.push({ name: masterSlot, init: 'weights' });
  if (options.ema !== undefined) slots.push({ name: emaSlot, init: 'weights' });
  return slots;
}

/** The hyper-parameters of a step as kernels take them; `factor` is that of the call. */
export function hyperOf(
  options: CommonOptions,
  { hyper, decay = 0, clipsItself }: Step,
  factor: number,
): Float64Array {
  const clip = clipsItself === true ? undefined : options.clipGradient;
  const common = [options.rescaleGrad * factor, clip ?? Infinity, decay, options.ema ?? 0];
  return Float64Array.of(...common, ...hyper);
}
