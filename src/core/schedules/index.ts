import { KVStoreError, show } from '../errors.js';
import { constant, cosine, factor, inverseSqrt, multiFactor, poly, wsd } from './decays.js';
import { oneCycle } from './one-cycle.js';
import { plateau } from './plateau.js';
import type { Schedule } from './schedule.js';

export type { Schedule, ScheduleOptions } from './schedule.js';
export type { PlateauSchedule } from './plateau.js';

/**
 * Learning-rate schedules by name, for an optimizer's option `schedule`:
 * `optim.sgd({ schedule: schedule.cosine({ baseLr: 0.1, maxUpdate: 1000 }) })`. Each checks its
 * options and throws `bad_optimizer`.
 */
export const schedule = Object.freeze({
  constant,
  factor,
  multiFactor,
  poly,
  cosine,
  inverseSqrt,
  wsd,
  oneCycle,
  plateau,
});

/** A schedule as plain data. */
export interface ScheduleSpec {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The schedule that `spec` describes; a schedule describes itself. Throws `bad_optimizer`. */
export function scheduleFrom(spec: unknown): Schedule {
  const { name, options } = (spec ?? {}) as Partial<ScheduleSpec>;
  if (typeof name === 'string' && Object.hasOwn(schedule, name)) {
    return schedule[name as keyof typeof schedule](options);
  }
  throw new KVStoreError(
    'bad_optimizer',
    `expected a schedule (${Object.keys(schedule).join(', ')}), got ${show(name ?? spec)}`,
  );
}

/** What describes `given` to another thread. */
export function scheduleSpec({ name, options }: Schedule): ScheduleSpec {
  return { name, options };
}
