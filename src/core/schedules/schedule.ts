import { KVStoreError, show } from '../errors.js';
import { isPlainObject } from '../options.js';

/**
 * A learning rate as a pure function of the number of an update. `name` and `options` are plain
 * data: they cross threads and go into checkpoints, and `scheduleFrom` makes the same schedule again.
 */
export interface Schedule {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The learning rate of update `update`, the first being 1. */
  at(update: number): number;
}

/** Options that every schedule has. */
export interface ScheduleOptions {
  /** The rate that the schedule starts from, after its warm-up. Default 0.01. */
  readonly baseLr: number;
  /** Updates of the warm-up. Default 0: none. */
  readonly warmupSteps: number;
  /** The rate that the warm-up begins with. Default 0. */
  readonly warmupBeginLr: number;
  /** Whether the rate rises evenly during the warm-up, or stays. Default `linear`. */
  readonly warmupMode: 'linear' | 'constant';
}

/** What an option of a schedule must be. */
type Check = (value: unknown) => string | undefined;

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Checks of option values: each gives what was expected, or undefined when the value is that. */
export const rate: Check = (x) => (isNumber(x) && x >= 0 ? undefined : 'a finite number from 0 up');
export const positive: Check = (x) =>
  isNumber(x) && x > 0 ? undefined : 'a finite number above 0';
export const steps: Check = (x) =>
  Number.isSafeInteger(x) && (x as number) >= 0 ? undefined : 'an integer from 0 up';
export const atLeastOne: Check = (x) =>
  Number.isSafeInteger(x) && (x as number) >= 1 ? undefined : 'an integer from 1 up';
export const share: Check = (x) =>
  isNumber(x) && x > 0 && x < 1 ? undefined : 'a number between 0 and 1';
export const oneOf =
  (...words: readonly string[]): Check =>
  (x) =>
    words.includes(x as string)
      ? undefined
      : words.map((word) => JSON.stringify(word)).join(' or ');
export const ascending: Check = (x) =>
  Array.isArray(x) &&
  x.every((n, i) => atLeastOne(n) === undefined && (i === 0 || n > (x as number[])[i - 1]!))
    ? undefined
    : 'an ascending list of integers from 1 up';

const commonChecks: Readonly<Record<keyof ScheduleOptions, Check>> = {
  baseLr: rate,
  warmupSteps: steps,
  warmupBeginLr: rate,
  warmupMode: oneOf('linear', 'constant'),
};

const commonDefaults: ScheduleOptions = {
  baseLr: 0.01,
  warmupSteps: 0,
  warmupBeginLr: 0,
  warmupMode: 'linear',
};

/** What a schedule's file says of it. */
export interface ScheduleDefinition<O extends ScheduleOptions> {
  readonly name: string;
  /** Defaults of its own options; one that is undefined has to be given. */
  readonly defaults: {
    readonly [Name in keyof Omit<O, keyof ScheduleOptions>]: O[Name] | undefined;
  };
  readonly checks: Readonly<Record<keyof Omit<O, keyof ScheduleOptions>, Check>>;
  /** What is wrong with options that are good alone, if anything. */
  readonly conflict?: (options: O) => string | undefined;
  /** The rate after the warm-up. */
  readonly at: (options: O, update: number) => number;
}

/** A maker of schedules: checks options, completes them with defaults. Throws `bad_optimizer`. */
export type ScheduleMaker<O extends ScheduleOptions> = (options?: Partial<O>) => Schedule;

/** A maker from a definition; every schedule gets the warm-up. */
export function defineSchedule<O extends ScheduleOptions>(
  definition: ScheduleDefinition<O>,
): ScheduleMaker<O> {
  const { name, at } = definition;
  return (given = {}) => {
    const options = complete(definition, given);
    return Object.freeze({
      name,
      options: options as unknown as Readonly<Record<string, unknown>>,
      at: (update: number) => {
        assertUpdate(name, update);
        return update < options.warmupSteps ? warmup(options, update) : at(options, update);
      },
    });
  };
}

/**
 * The rate before update `warmupSteps`, as MXNet's schedulers have it: from `warmupBeginLr` evenly
 * toward `baseLr`, or `warmupBeginLr` itself.
 */
function warmup(options: ScheduleOptions, update: number): number {
  const { baseLr, warmupSteps, warmupBeginLr, warmupMode } = options;
  if (warmupMode === 'constant') return warmupBeginLr;
  return warmupBeginLr + ((baseLr - warmupBeginLr) * update) / warmupSteps;
}

function complete<O extends ScheduleOptions>(
  { name, defaults, checks, conflict }: ScheduleDefinition<O>,
  given: unknown,
): O {
  if (!isPlainObject(given)) throw bad(name, 'an object of options', show(given));
  const all: Readonly<Record<string, Check>> = { ...commonChecks, ...checks };
  const stranger = Object.keys(given).find((option) => !Object.hasOwn(all, option));
  if (stranger !== undefined) {
    throw bad(name, `options ${Object.keys(all).join(', ')}`, show(stranger));
  }
  const options: Record<string, unknown> = { ...commonDefaults, ...defaults, ...given };
  for (const [option, check] of Object.entries(all)) {
    const value = options[option];
    const expected = check(value);
    if (expected !== undefined) throw bad(name, `${option} to be ${expected}`, show(value));
    if (Array.isArray(value)) options[option] = Object.freeze([...(value as unknown[])]);
  }
  const complete = Object.freeze(options) as unknown as O;
  if (complete.warmupBeginLr > complete.baseLr) {
    const expected = `warmupBeginLr to be at most baseLr, ${complete.baseLr}`;
    throw bad(name, expected, String(complete.warmupBeginLr));
  }
  const problem = conflict?.(complete);
  if (problem !== undefined) throw new KVStoreError('bad_optimizer', `schedule ${name} ${problem}`);
  return complete;
}

function bad(name: string, expected: string, got: string): KVStoreError {
  return new KVStoreError('bad_optimizer', `schedule ${name} expected ${expected}, got ${got}`);
}

/** Throws `bad_argument` unless `update` can be the number of an update. */
export function assertUpdate(name: string, update: unknown): asserts update is number {
  if (steps(update) === undefined) return;
  throw new KVStoreError(
    'bad_argument',
    `schedule ${name} expected the number of an update (an integer from 0 up), got ${show(update)}`,
  );
}
