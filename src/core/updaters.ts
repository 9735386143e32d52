import { describe, KVStoreError, show } from './errors.js';
import type { Key } from './keys.js';
import type { Tensor } from './tensor.js';

/**
 * Turns the stored tensor S(i) into S(i+1), in place: `stored` is a scratch copy that becomes the
 * new version only if the function returns. `input` is the round's sum. Must be synchronous.
 */
export type Updater = (key: Key, input: Tensor, stored: Tensor) => void;

/** Runs `updater`; a throw or a promise becomes `updater_error` with its cause. */
export function runUpdater(updater: Updater, key: Key, input: Tensor, stored: Tensor): void {
  let returned: unknown;
  try {
    returned = updater(key, input, stored);
  } catch (error) {
    throw new KVStoreError(
      'updater_error',
      `the updater threw for key ${show(key)}: ${describe(error)}`,
      {
        key,
        cause: error,
      },
    );
  }
  if (returned instanceof Promise) {
    returned.catch(() => undefined); // Its failure is already this error's subject.
    throw new KVStoreError(
      'updater_error',
      `the updater for key ${show(key)} expected to be synchronous, got a promise`,
      { key },
    );
  }
}
