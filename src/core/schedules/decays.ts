import {
  ascending,
  atLeastOne,
  defineSchedule,
  oneOf,
  positive,
  rate,
  steps,
  type ScheduleOptions,
} from './schedule.js';

/** `baseLr` throughout. */
export const constant = defineSchedule<ScheduleOptions>({
  name: 'constant',
  defaults: {},
  checks: {},
  at: ({ baseLr }) => baseLr,
});

/** Options of `factor`. */
export interface FactorOptions extends ScheduleOptions {
  /** Updates between two reductions. */
  readonly step: number;
  /** What the rate is multiplied by. Default 1. */
  readonly factor: number;
  /** The rate goes no lower. Default 1e-8. */
  readonly stopFactorLr: number;
}

/**
 * Multiplies the rate by `factor` after every `step` updates, down to `stopFactorLr`:
 * `max(stopFactorLr, baseLr * factor^floor((update - 1) / step))`, as MXNet's `FactorScheduler`.
 */
export const factor = defineSchedule<FactorOptions>({
  name: 'factor',
  defaults: { step: undefined, factor: 1, stopFactorLr: 1e-8 },
  checks: { step: atLeastOne, factor: positive, stopFactorLr: rate },
  conflict: (options) =>
    options.factor > 1 ? `expected factor to be at most 1, got ${options.factor}` : undefined,
  at: ({ baseLr, step, factor: by, stopFactorLr }, update) =>
    Math.max(stopFactorLr, baseLr * by ** Math.floor(Math.max(update - 1, 0) / step)),
});

/** Options of `multiFactor`. */
export interface MultiFactorOptions extends ScheduleOptions {
  /** Updates after which the rate is reduced, ascending. */
  readonly steps: readonly number[];
  /** What the rate is multiplied by. Default 1. */
  readonly factor: number;
}

/** Multiplies the rate by `factor` after each update of `steps`, as MXNet's `MultiFactorScheduler`. */
export const multiFactor = defineSchedule<MultiFactorOptions>({
  name: 'multiFactor',
  defaults: { steps: undefined, factor: 1 },
  checks: { steps: ascending, factor: positive },
  conflict: (options) =>
    options.factor > 1 ? `expected factor to be at most 1, got ${options.factor}` : undefined,
  at: ({ baseLr, steps: after, factor: by }, update) =>
    baseLr * by ** after.filter((step) => update > step).length,
});

/** Options of the schedules that end at an update. */
export interface EndingOptions extends ScheduleOptions {
  /** The update from which on the rate is `finalLr`. */
  readonly maxUpdate: number;
  /** Default 0. */
  readonly finalLr: number;
}

/** Options of `poly`. */
export interface PolyOptions extends EndingOptions {
  /** Default 2. */
  readonly power: number;
}

/** Options of `cosine`. */
export type CosineOptions = EndingOptions;

const pastWarmup = ({ maxUpdate, warmupSteps }: EndingOptions): string | undefined =>
  maxUpdate > warmupSteps
    ? undefined
    : `expected maxUpdate to be above warmupSteps, ${warmupSteps}, got ${maxUpdate}`;

/** How much of the way from the end of the warm-up to `maxUpdate` is done, from 0 to 1. */
function progress({ warmupSteps, maxUpdate }: EndingOptions, update: number): number {
  return Math.min((update - warmupSteps) / (maxUpdate - warmupSteps), 1);
}

/**
 * `finalLr + (baseLr - finalLr) * (1 - p)^power` with p the share of the way that is done, as
 * MXNet's `PolyScheduler`.
 */
export const poly = defineSchedule<PolyOptions>({
  name: 'poly',
  defaults: { maxUpdate: undefined, power: 2, finalLr: 0 },
  checks: { maxUpdate: atLeastOne, power: positive, finalLr: rate },
  conflict: pastWarmup,
  at: (options, update) =>
    options.finalLr +
    (options.baseLr - options.finalLr) * (1 - progress(options, update)) ** options.power,
});

/**
 * `finalLr + (baseLr - finalLr) * (1 + cos(pi p)) / 2` with p the share of the way that is done
 * (Loshchilov & Hutter, "SGDR", 2017), as MXNet's `CosineScheduler`.
 */
export const cosine = defineSchedule<CosineOptions>({
  name: 'cosine',
  defaults: { maxUpdate: undefined, finalLr: 0 },
  checks: { maxUpdate: atLeastOne, finalLr: rate },
  conflict: pastWarmup,
  at: (options, update) =>
    options.finalLr +
    ((options.baseLr - options.finalLr) * (1 + Math.cos(Math.PI * progress(options, update)))) / 2,
});

/** Options of `inverseSqrt`. */
export type InverseSqrtOptions = ScheduleOptions;

/**
 * `baseLr * sqrt(w / max(update, w))` with w = max(warmupSteps, 1): the decay of Vaswani et al.,
 * "Attention Is All You Need" (2017), with `baseLr` at the end of the warm-up.
 */
export const inverseSqrt = defineSchedule<InverseSqrtOptions>({
  name: 'inverseSqrt',
  defaults: {},
  checks: {},
  at: ({ baseLr, warmupSteps }, update) => {
    const start = Math.max(warmupSteps, 1);
    return baseLr * Math.sqrt(start / Math.max(update, start));
  },
});

/** Options of `wsd`. */
export interface WsdOptions extends ScheduleOptions {
  /** Updates at `baseLr` after the warm-up. */
  readonly stableSteps: number;
  /** Updates from there to `finalLr`. */
  readonly decaySteps: number;
  /** Default 0. */
  readonly finalLr: number;
  /** How the rate falls: `1 - p`, `(1 + cos(pi p)) / 2` or `1 - sqrt(p)` of the way is left. */
  readonly decay: 'linear' | 'cosine' | 'sqrt';
}

/**
 * Warm-up, stable, decay (Hu et al., "MiniCPM", 2024): `baseLr` for `stableSteps` updates, then down
 * to `finalLr` within `decaySteps`.
 */
export const wsd = defineSchedule<WsdOptions>({
  name: 'wsd',
  defaults: { stableSteps: undefined, decaySteps: undefined, finalLr: 0, decay: 'linear' },
  checks: {
    stableSteps: steps,
    decaySteps: atLeastOne,
    finalLr: rate,
    decay: oneOf('linear', 'cosine', 'sqrt'),
  },
  at: ({ baseLr, warmupSteps, stableSteps, decaySteps, finalLr, decay }, update) => {
    const done = Math.min(Math.max(update - warmupSteps - stableSteps, 0) / decaySteps, 1);
    const left = {
      linear: 1 - done,
      cosine: (1 + Math.cos(Math.PI * done)) / 2,
      sqrt: 1 - Math.sqrt(done),
    }[decay];
    return finalLr + (baseLr - finalLr) * left;
  },
});
