import {
  atLeastOne,
  defineSchedule,
  oneOf,
  positive,
  share,
  type ScheduleOptions,
} from './schedule.js';

/** Options of `oneCycle`. `baseLr` is the peak. */
export interface OneCycleOptions extends ScheduleOptions {
  /** Updates of the whole cycle. */
  readonly maxUpdate: number;
  /** Share of the cycle in which the rate rises. Default 0.3. */
  readonly pctStart: number;
  /** The cycle begins at `baseLr / divFactor`. Default 25. */
  readonly divFactor: number;
  /** It ends at its beginning's rate divided by this. Default 10,000. */
  readonly finalDivFactor: number;
  /** Default `cosine`. */
  readonly anneal: 'cosine' | 'linear';
}

/**
 * One cycle (Smith & Topin, "Super-Convergence", 2018): from `baseLr / divFactor` up to `baseLr`, then
 * down to `baseLr / divFactor / finalDivFactor` at update `maxUpdate`, where it stays. The rise is its
 * own warm-up.
 */
export const oneCycle = defineSchedule<OneCycleOptions>({
  name: 'oneCycle',
  defaults: {
    maxUpdate: undefined,
    pctStart: 0.3,
    divFactor: 25,
    finalDivFactor: 1e4,
    anneal: 'cosine',
  },
  checks: {
    maxUpdate: atLeastOne,
    pctStart: share,
    divFactor: positive,
    finalDivFactor: positive,
    anneal: oneOf('cosine', 'linear'),
  },
  conflict: ({ warmupSteps }) =>
    warmupSteps === 0 ? undefined : `expected warmupSteps to be 0, got ${warmupSteps}`,
  at: ({ baseLr, maxUpdate, pctStart, divFactor, finalDivFactor, anneal }, update) => {
    const first = baseLr / divFactor;
    const peak = pctStart * maxUpdate;
    const between = (from: number, to: number, done: number): number =>
      to + (from - to) * (anneal === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2);
    if (update < peak) return between(first, baseLr, update / peak);
    const done = Math.min((update - peak) / (maxUpdate - peak), 1);
    return between(baseLr, first / finalDivFactor, done);
  },
});
