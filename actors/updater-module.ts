import { describe, KVStoreError, show } from '../src/core/errors.js';
import type { Updater } from '../src/core/updaters.js';

/** The default export of the module at `url`, which must be a function. Throws `bad_updater`. */
export async function importUpdater(url: string): Promise<Updater> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(url)) as typeof module;
  } catch (error) {
    const message = `the updater module ${url} could not be imported: ${describe(error)}`;
    throw new KVStoreError('bad_updater', message, { cause: error });
  }
  if (typeof module.default === 'function') return module.default as Updater;
  throw new KVStoreError(
    'bad_updater',
    `the updater module ${url} expected a function as default export, got ${show(module.default)}`,
  );
}
