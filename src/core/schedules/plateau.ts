import { KVStoreError, show } from '../errors.js';
import {
  ascending,
  defineSchedule,
  oneOf,
  positive,
  rate,
  steps,
  type Schedule,
  type ScheduleOptions,
} from './schedule.js';

/** Options of `plateau`. The last four are what has been observed: they start empty. */
export interface PlateauOptions extends ScheduleOptions {
  /** What the rate is multiplied by at a plateau. Default 0.1. */
  readonly factor: number;
  /** Observations without progress before a reduction. Default 10. */
  readonly patience: number;
  /** Relative change of the metric that counts as progress. Default 1e-4. */
  readonly threshold: number;
  /** Whether the metric is to fall or to rise. Default `min`. */
  readonly mode: 'min' | 'max';
  /** The rate goes no lower. Default 0. */
  readonly minLr: number;
  /** Observations after a reduction that do not count. Default 0. */
  readonly cooldown: number;
  /** Updates after which the rate was reduced. */
  readonly reductions: readonly number[];
  /** The best metric so far; null before the first. */
  readonly best: number | null;
  /** Observations since the last progress. */
  readonly waited: number;
  /** Observations that still do not count. */
  readonly resting: number;
}

/** A plateau schedule: it learns from observations, but never changes. */
export interface PlateauSchedule extends Schedule {
  /**
   * The schedule after `metric` was measured at update `update`; set it as `kv.optimizer.schedule`.
   * Throws `bad_argument` for what is no update or no number, or for an update before the last
   * reduction.
   */
  observe(update: number, metric: number): PlateauSchedule;
}

const make = defineSchedule<PlateauOptions>({
  name: 'plateau',
  defaults: {
    factor: 0.1,
    patience: 10,
    threshold: 1e-4,
    mode: 'min',
    minLr: 0,
    cooldown: 0,
    reductions: [],
    best: null,
    waited: 0,
    resting: 0,
  },
  checks: {
    factor: positive,
    patience: steps,
    threshold: rate,
    mode: oneOf('min', 'max'),
    minLr: rate,
    cooldown: steps,
    reductions: ascending,
    best: (x) => (x === null || Number.isFinite(x) ? undefined : 'a finite number or null'),
    waited: steps,
    resting: steps,
  },
  conflict: ({ factor }) =>
    factor < 1 ? undefined : `expected factor to be below 1, got ${factor}`,
  at: ({ baseLr, factor, minLr, reductions }, update) =>
    Math.max(minLr, baseLr * factor ** reductions.filter((after) => update > after).length),
});

/**
 * Reduces the rate when a metric stops getting better. `at` stays a pure function of the update: an
 * observation gives a new schedule, whose options hold the updates after which the rate was reduced.
 */
export function plateau(options: Partial<PlateauOptions> = {}): PlateauSchedule {
  const schedule = make(options);
  const known = schedule.options as unknown as PlateauOptions;
  return Object.freeze({
    ...schedule,
    observe: (update: number, metric: number) => plateau(observed(known, update, metric)),
  });
}

function observed(options: PlateauOptions, update: number, metric: number): PlateauOptions {
  const last = options.reductions.at(-1) ?? 0;
  if (!Number.isSafeInteger(update) || update < Math.max(last, 1)) {
    throw new KVStoreError(
      'bad_argument',
      `observe expected an update from ${Math.max(last, 1)} up, got ${show(update)}`,
    );
  }
  if (typeof metric !== 'number' || Number.isNaN(metric)) {
    throw new KVStoreError('bad_argument', `observe expected a metric, got ${show(metric)}`);
  }
  if (Number.isFinite(metric) && isProgress(options, metric)) {
    return { ...options, best: metric, waited: 0, resting: Math.max(options.resting - 1, 0) };
  }
  if (options.resting > 0) return { ...options, resting: options.resting - 1, waited: 0 };
  const waited = options.waited + 1;
  if (waited <= options.patience || update === last) return { ...options, waited };
  const reductions = [...options.reductions, update];
  return { ...options, reductions, waited: 0, resting: options.cooldown };
}

function isProgress({ best, mode, threshold }: PlateauOptions, metric: number): boolean {
  if (best === null) return true;
  const margin = threshold * Math.abs(best);
  return mode === 'min' ? metric < best - margin : metric > best + margin;
}
