import { describe, KVStoreError, show, toFailure } from '../src/core/errors.js';
import type { LoadedUpdater } from './coordinator-needs.js';
import type { Updater } from '../src/core/updaters.js';

/** Imports an updater module, then calls `loaded` with its default export or with why not. */
export async function loadUpdater(
  url: string,
  loaded: (outcome: LoadedUpdater) => void,
): Promise<void> {
  let outcome: LoadedUpdater;
  try {
    outcome = { updater: await importUpdater(url) };
  } catch (error) {
    outcome = { failure: toFailure(error, 'bad_updater') };
  }
  loaded(outcome);
}

/** The default export of the module at `url`, which must be a function. Throws `bad_updater`. */
async function importUpdater(url: string): Promise<Updater> {
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
