import { KVStoreError, show } from '../errors.js';
import type { Key } from '../keys.js';

/** What an option must be. */
export type OptionCheck =
  | 'finite'
  | 'nonNegative'
  | 'positive'
  /** From 0 up to but not including 1: the share of an average that is kept. */
  | 'share'
  | 'boolean'
  /** An integer from 0 up. */
  | 'count'
  /** An integer from 1 up. */
  | 'positiveCount'
  /** An object of finite factors by key. */
  | 'factors'
  | 'schedule';

const expectations: Readonly<Record<Exclude<OptionCheck, 'schedule'>, string>> = {
  finite: 'a finite number',
  nonNegative: 'a finite number from 0 up',
  positive: 'a finite number above 0',
  share: 'a number from 0 up and below 1',
  boolean: 'true or false',
  count: 'an integer from 0 up',
  positiveCount: 'an integer from 1 up',
  factors: 'an object of finite factors by key',
};

/** Throws `bad_optimizer` naming optimizer, option and value unless `value` passes `check`. */
export function checkOption(
  optimizer: string,
  option: string,
  value: unknown,
  check: Exclude<OptionCheck, 'schedule'>,
): void {
  if (passes(value, check)) return;
  throw new KVStoreError(
    'bad_optimizer',
    `${optimizer} expected ${option} to be ${expectations[check]}, got ${show(value)}`,
  );
}

function passes(value: unknown, check: Exclude<OptionCheck, 'schedule'>): boolean {
  if (check === 'boolean') return typeof value === 'boolean';
  if (check === 'factors') return isFactors(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  switch (check) {
    case 'finite':
      return true;
    case 'nonNegative':
      return value >= 0;
    case 'positive':
      return value > 0;
    case 'share':
      return value >= 0 && value < 1;
    case 'count':
      return Number.isSafeInteger(value) && value >= 0;
    case 'positiveCount':
      return Number.isSafeInteger(value) && value >= 1;
  }
}

function isFactors(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((factor) => Number.isFinite(factor))
  );
}

/** The factor of `key` in `lrMult` or `wdMult`; 1 for a key not named. */
export function factorOf(factors: Readonly<Record<string, number>>, key: Key): number {
  return Object.hasOwn(factors, key) ? factors[key]! : 1;
}
