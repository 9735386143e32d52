import { KVStoreError, show } from '../errors.js';
import type { Key } from '../keys.js';
import { scheduleFrom, scheduleSpec, type Schedule } from '../schedules/index.js';
import type { Shape } from '../shape.js';
import type { StepKernel } from './kernel.js';
import { checkOption, factorOf, type OptionCheck } from './option-checks.js';

/** Options that every optimizer has. They may change at any time. */
export interface CommonOptions {
  /** Learning rate; not to be given together with a schedule, which gives it then. */
  readonly lr: number;
  /** Weight decay; each optimizer says where it enters. */
  readonly wd: number;
  /** The summed gradient is multiplied by this first, `1 / batch` for a mean. */
  readonly rescaleGrad: number;
  /** After rescaling, elements are limited to [-clipGradient, clipGradient]; undefined: not at all. */
  readonly clipGradient: number | undefined;
  /** Factors on `lr` of single keys; 1 for a key not named. */
  readonly lrMult: Readonly<Record<string, number>>;
  /** Factors on `wd` of single keys; 1 for a key not named. */
  readonly wdMult: Readonly<Record<string, number>>;
  /** Whether float16 and bfloat16 keys keep float32 master weights, which are what is updated. */
  readonly multiPrecision: boolean;
  /** Whether a row-sparse gradient updates its own rows alone, slots included. */
  readonly lazyUpdate: boolean;
  /** Updates that count as made before the first one: bias corrections and schedules start there. */
  readonly beginNumUpdate: number;
  /** Gives the learning rate by the number of the key's update. */
  readonly schedule: Schedule | undefined;
  /**
   * Upper limit of the norm of all gradients of one call together, after rescaling; undefined: none.
   * The keys of a call then close their rounds at once, and it takes the same keys from each worker.
   */
  readonly clipGlobalNorm: number | undefined;
  /**
   * What the loss was multiplied by: gradients are divided by it, and a call with one that is not
   * finite is skipped as a whole. Undefined: neither.
   */
  readonly lossScale: number | undefined;
  /** Calls without a skip after which `lossScale` doubles; a skip halves it. Undefined: it stays. */
  readonly lossScaleWindow: number | undefined;
  /** Share kept by an exponential moving average of the weights; undefined: there is none. */
  readonly ema: number | undefined;
}

/** A tensor that an optimizer remembers for a key. */
export interface Slot {
  readonly name: string;
  /** Default: that of the stored tensor. */
  readonly shape?: Shape;
  /** What it holds before the first update: zeros, or the weights. */
  readonly init: 'zeros' | 'weights';
}

/** Numbers that an optimizer remembers for a key, beside the count of its updates. */
export type Counters = Readonly<Record<string, number>>;

/** Where the update of a key stands. */
export interface Moment {
  /** Learning rate and weight decay of the key: times its factors, by the schedule. */
  readonly lr: number;
  readonly wd: number;
  /** Number of this update among those of the key, from 1 (plus `beginNumUpdate`). */
  readonly count: number;
  readonly counters: Counters;
  readonly shape: Shape;
  readonly key: Key;
}

/** One update in terms of its kernel. */
export interface Step {
  readonly kernel: StepKernel;
  /** Hyper-parameters in the order of the kernel. */
  readonly hyper: readonly number[];
  /** Weight decay that is added to the gradient, `decay * w`; default 0. */
  readonly decay?: number;
  /** Whether the kernel clips the gradient, in a way of its own. */
  readonly clipsItself?: boolean;
  /** The counters after this update, if the optimizer has any. */
  readonly counters?: Counters;
}

/** An optimizer: what it remembers per key, and how it makes S(i+1) of S(i). */
export interface Optimizer<O extends CommonOptions = CommonOptions> {
  readonly name: string;
  /** `given` checked and completed with defaults. Throws `bad_optimizer`. */
  resolve(given: Readonly<Record<string, unknown>>): O;
  /** Slots that an update of a tensor of `shape` needs. Throws `unsupported` for a shape. */
  slots(options: O, shape: Shape): readonly Slot[];
  /** Counters of a key before its first update. */
  readonly counters: Counters;
  /** Which of its slots holds the weights to evaluate with, if they are not those to train with. */
  readonly average?: string;
  step(options: O, moment: Moment): Step;
}

/** An optimizer as `setOptimizer` takes it. */
export interface OptimizerSpec {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Own options of an optimizer, on top of the common ones. */
type Own<O> = Omit<O, keyof CommonOptions>;

/** What an optimizer's file says of it. */
export interface OptimizerDefinition<O extends CommonOptions> {
  readonly name: string;
  /** Defaults of `lr`, of its own options, and of common ones that differ. */
  readonly defaults: Own<O> & { readonly lr: number } & Partial<CommonOptions>;
  readonly checks: Readonly<Record<keyof Own<O>, OptionCheck>>;
  /** Other names of options: `gamma1` for `rho`. */
  readonly aliases?: Readonly<Record<string, keyof O>>;
  readonly slots: (options: O, shape: Shape) => readonly Slot[];
  readonly counters?: Counters;
  readonly average?: string;
  readonly step: (options: O, moment: Moment) => Step;
  /** Throws `bad_optimizer` where options that are good alone do not go together. */
  readonly check?: (options: O) => void;
}

/** MXNet 2.0's defaults of the common options, the learning rate apart. */
export const commonDefaults = {
  wd: 0,
  rescaleGrad: 1,
  clipGradient: undefined,
  lrMult: {},
  wdMult: {},
  multiPrecision: false,
  lazyUpdate: true,
  beginNumUpdate: 0,
  schedule: undefined,
  clipGlobalNorm: undefined,
  lossScale: undefined,
  lossScaleWindow: undefined,
  ema: undefined,
} as const satisfies Omit<CommonOptions, 'lr'>;

const commonChecks: Readonly<Record<keyof CommonOptions, OptionCheck>> = {
  lr: 'nonNegative',
  wd: 'nonNegative',
  rescaleGrad: 'finite',
  clipGradient: 'positive',
  lrMult: 'factors',
  wdMult: 'factors',
  multiPrecision: 'boolean',
  lazyUpdate: 'boolean',
  beginNumUpdate: 'count',
  schedule: 'schedule',
  clipGlobalNorm: 'positive',
  lossScale: 'positive',
  lossScaleWindow: 'positiveCount',
  ema: 'share',
};

/** An optimizer from its definition: options are checked, common ones included. */
export function defineOptimizer<O extends CommonOptions>(
  definition: OptimizerDefinition<O>,
): Optimizer<O> {
  const { name, slots, step, counters = {}, average } = definition;
  return Object.freeze({
    name,
    slots,
    step,
    counters,
    ...(average === undefined ? {} : { average }),
    resolve: (given: Readonly<Record<string, unknown>>) => resolve(definition, given),
  });
}

/** A slot of zeros like the stored tensor, or of `shape`. */
export function zeroSlot(name: string, shape?: Shape): Slot {
  return { name, init: 'zeros', ...(shape === undefined ? {} : { shape }) };
}

/** Where the update of a key stands whose `made` updates are behind it. */
export function momentOf(
  options: CommonOptions,
  target: {
    readonly key: Key;
    readonly shape: Shape;
    readonly count: number;
    readonly counters: Counters;
  },
): Moment {
  const { key, shape, counters } = target;
  const count = options.beginNumUpdate + target.count + 1;
  const lr = options.schedule === undefined ? options.lr : options.schedule.at(count);
  return {
    lr: lr * factorOf(options.lrMult, key),
    wd: options.wd * factorOf(options.wdMult, key),
    count,
    counters,
    shape,
    key,
  };
}

/**
 * `options` with `change` on top, checked. Throws `bad_optimizer`, or `scheduler_owns_lr` for a
 * learning rate where a schedule gives it.
 */
export function changeOptions<O extends CommonOptions>(
  optimizer: Optimizer<O>,
  options: O,
  change: Readonly<Record<string, unknown>>,
): O {
  const schedule = 'schedule' in change ? change['schedule'] : options.schedule;
  if (Object.hasOwn(change, 'lr') && schedule !== undefined) {
    throw new KVStoreError(
      'scheduler_owns_lr',
      `setting lr expected ${optimizer.name} to have no schedule, but a schedule gives its learning ` +
        'rate: set another schedule, or undefined first',
    );
  }
  const { lr: _, ...rest } = options;
  // A schedule that is set or stays gives the rate; one that ends leaves the rate it had at first.
  const kept = schedule === undefined ? options : rest;
  return optimizer.resolve({ ...kept, ...change });
}

/** Options as plain data that crosses threads: `resolve` makes options of it again. */
export function plainOptions(options: CommonOptions): Readonly<Record<string, unknown>> {
  const { schedule, lr: _, ...rest } = options;
  return schedule === undefined ? { ...options } : { ...rest, schedule: scheduleSpec(schedule) };
}

/** `given` over the defaults; undefined is a value only where it is the default. */
function resolve<O extends CommonOptions>(
  { name, defaults, checks, aliases = {}, check }: OptimizerDefinition<O>,
  given: Readonly<Record<string, unknown>>,
): O {
  const all: Readonly<Record<string, OptionCheck>> = { ...commonChecks, ...checks };
  const initial: Readonly<Record<string, unknown>> = { ...commonDefaults, ...defaults };
  const options: Record<string, unknown> = { ...initial };
  for (const [asked, value] of Object.entries(given)) {
    const option = Object.hasOwn(aliases, asked) ? String(aliases[asked]) : asked;
    if (!Object.hasOwn(all, option)) {
      const known = Object.keys(all).join(', ');
      throw new KVStoreError(
        'bad_optimizer',
        `${name} expected options ${known}, got ${show(asked)}`,
      );
    }
    options[option] =
      value === undefined && initial[option] === undefined
        ? undefined
        : checked(name, option, value, all[option]!);
  }
  if (options['schedule'] !== undefined) {
    if (given['lr'] !== undefined) throw bothRates(name);
    options['lr'] = (options['schedule'] as Schedule).at(1);
  }
  const resolved = Object.freeze(options) as unknown as O;
  check?.(resolved);
  return resolved;
}

function bothRates(name: string): KVStoreError {
  const message = `${name} expected lr or a schedule, whose baseLr it is, got both`;
  return new KVStoreError('bad_optimizer', message);
}

function checked(name: string, option: string, value: unknown, check: OptionCheck): unknown {
  if (check === 'schedule') return scheduleFrom(value);
  checkOption(name, option, value, check);
  return typeof value === 'object' ? Object.freeze({ ...value }) : value;
}
