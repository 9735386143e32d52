import { createContext, Script, type Context } from 'node:vm';
import { KVStoreError, showKey } from '../src/core/errors.js';
import type { Key } from '../src/core/keys.js';

/**
 * The one way to end synchronous JavaScript that does not return: a script of node:vm has a timeout,
 * which holds for all that the script calls. The timeout needs a thread of its own, so a call costs
 * about 70 µs more than without one.
 */

interface Holder {
  run: () => void;
}

const idle = (): void => undefined;
const script = new Script('run()', { filename: 'tensorkv:time-limit' });
/** A global object beside the program's, made when it is first needed: it costs a millisecond. */
let context: (Holder & Context) | undefined;

const longestMs = 2 ** 31 - 1;

/**
 * Runs `work` to its end, or throws `updater_error` once it has taken `limitMs`; Infinity sets no
 * limit. `key` is the one that is updated. What `work` throws passes through.
 */
export function runWithin(limitMs: number, key: Key, work: () => void): void {
  if (limitMs === Infinity) return work();
  context ??= createContext({ run: idle }) as Holder & Context;
  const before = context.run;
  context.run = work;
  try {
    const timeout = Math.min(Math.ceil(limitMs), longestMs);
    script.runInContext(context, { timeout, displayErrors: false });
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw error;
    }
    throw new KVStoreError(
      'updater_error',
      `the updater for ${showKey(key)} expected to return, but was stopped after ${limitMs} ms`,
      { key },
    );
  } finally {
    context.run = before;
  }
}
