import { KVStoreError, show } from '../errors.js';
import type { Key } from '../keys.js';

/** Typed arrays an optimizer can update. */
export type FloatData = Float32Array | Float64Array;

/** Options that every optimizer has. They may change at any time. */
export interface CommonOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Weight decay: `wd * weight` is added to the gradient. */
  readonly wd: number;
  /** The summed gradient is multiplied by this first, `1 / batch` for a mean. */
  readonly rescaleGrad: number;
  /** After rescaling, elements are limited to [-clipGradient, clipGradient]; undefined: not at all. */
  readonly clipGradient: number | undefined;
  /** Factors on `lr` of single keys; 1 for a key not named. */
  readonly lrMult: Readonly<Record<string, number>>;
  /** Factors on `wd` of single keys; 1 for a key not named. */
  readonly wdMult: Readonly<Record<string, number>>;
}

/** The kernels that optimizers are made of. */
export interface OptimizerKernels {
  sgdStep(
    inputs: readonly FloatData[],
    stored: FloatData,
    momentum: FloatData | undefined,
    hyper: SgdHyper,
  ): void;
}

/** Hyper-parameters of one SGD update, the key's factors already multiplied in. */
export interface SgdHyper {
  readonly lr: number;
  readonly momentum: number;
  readonly wd: number;
  readonly rescaleGrad: number;
  readonly clipGradient: number | undefined;
}

/** One key's part in an update. */
export interface UpdateTarget {
  readonly key: Key;
  readonly inputs: readonly FloatData[];
  readonly stored: FloatData;
  /** One tensor per name in `slots`, like `stored`, zero at first. */
  readonly slots: readonly FloatData[];
}

/** An optimizer: what it remembers per key, and how it makes S(i+1) of S(i). */
export interface Optimizer<O extends CommonOptions = CommonOptions> {
  readonly name: string;
  /** `given` checked and completed with defaults. Throws `bad_optimizer`. */
  resolve(given: Readonly<Record<string, unknown>>): O;
  /** Names of the slots that an update under `options` needs. */
  slots(options: O): readonly string[];
  /** Sums `inputs` in order and updates `stored` and `slots`, in one pass over memory. */
  update(kernels: OptimizerKernels, options: O, target: UpdateTarget): void;
}

/** An optimizer as `setOptimizer` takes it. */
export interface OptimizerSpec {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** MXNet 2.0's defaults of the common options, the learning rate apart. */
export const commonDefaults = {
  wd: 0,
  rescaleGrad: 1,
  clipGradient: undefined,
  lrMult: {},
  wdMult: {},
} as const satisfies Omit<CommonOptions, 'lr'>;

/** What an option must be. */
export type OptionCheck = 'finite' | 'nonNegative' | 'positive' | 'factors';

/** The checks of the common options. */
export const commonChecks: Readonly<Record<keyof CommonOptions, OptionCheck>> = {
  lr: 'nonNegative',
  wd: 'nonNegative',
  rescaleGrad: 'finite',
  clipGradient: 'positive',
  lrMult: 'factors',
  wdMult: 'factors',
};

/**
 * `given` over `defaults`, every value checked; undefined is a value only where it is the default.
 * Throws `bad_optimizer` naming option and value.
 */
export function resolveOptions<O extends CommonOptions>(
  name: string,
  given: Readonly<Record<string, unknown>>,
  defaults: O,
  checks: Readonly<Record<keyof O, OptionCheck>>,
): O {
  const options = { ...defaults } as Record<string, unknown>;
  for (const [option, value] of Object.entries(given)) {
    if (!Object.hasOwn(checks, option)) {
      const known = Object.keys(checks).join(', ');
      throw new KVStoreError(
        'bad_optimizer',
        `${name} expected options ${known}, got ${show(option)}`,
      );
    }
    if (value === undefined && defaults[option as keyof O] === undefined) {
      options[option] = undefined;
      continue;
    }
    checkOption(name, option, value, checks[option as keyof O]);
    options[option] = typeof value === 'object' ? Object.freeze({ ...value }) : value;
  }
  return Object.freeze(options) as O;
}

function checkOption(name: string, option: string, value: unknown, check: OptionCheck): void {
  const finite = typeof value === 'number' && Number.isFinite(value);
  const expected = {
    finite: finite ? undefined : 'a finite number',
    nonNegative: finite && value >= 0 ? undefined : 'a finite number from 0 up',
    positive: finite && value > 0 ? undefined : 'a finite number above 0',
    factors: isFactors(value) ? undefined : 'an object of finite factors by key',
  }[check];
  if (expected === undefined) return;
  throw new KVStoreError(
    'bad_optimizer',
    `${name} expected ${option} to be ${expected}, got ${show(value)}`,
  );
}

function isFactors(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((factor) => Number.isFinite(factor))
  );
}

/** The factor of `key` in `lrMult` or `wdMult`. */
export function factorOf(factors: Readonly<Record<string, number>>, key: Key): number {
  return Object.hasOwn(factors, key) ? factors[key]! : 1;
}
