import { KVStoreError, show } from './errors.js';

/** Whether `value` is an object as `{}` makes it, of this realm or another. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Throws `bad_argument` when `options` is no object or has a name outside of `allowed`. */
export function assertOptions(options: unknown, allowed: readonly string[], where: string): void {
  if (!isPlainObject(options)) {
    throw new KVStoreError(
      'bad_argument',
      `${where} expected an options object, got ${show(options)}`,
    );
  }
  const stranger = Object.keys(options).find((name) => !allowed.includes(name));
  if (stranger === undefined) return;
  const known = allowed.length === 0 ? 'no options' : `options ${allowed.join(', ')}`;
  throw new KVStoreError('bad_argument', `${where} expected ${known}, got ${show(stranger)}`);
}

/** `value` if it is a number above 0 (`Infinity` too), else `bad_argument`. */
export function positive(value: unknown, name: string): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new KVStoreError('bad_argument', `${name} expected a number above 0, got ${show(value)}`);
}

/** `value` if it is an integer from 0 up, else `bad_argument`. */
export function natural(value: unknown, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new KVStoreError(
    'bad_argument',
    `${name} expected an integer from 0 up, got ${show(value)}`,
  );
}

/** `value` if it is an integer from 1 up, else `bad_argument`. */
export function count(value: unknown, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw new KVStoreError(
    'bad_argument',
    `${name} expected an integer from 1 up, got ${show(value)}`,
  );
}
