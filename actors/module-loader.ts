import { describe, KVStoreError, show, toFailure } from '../src/core/errors.js';
import { isOptimizerClass } from '../src/core/optimizers/custom.js';
import type { LoadedModule, ModuleKind } from './coordinator-needs.js';

/** Imports a user's module, then calls `loaded` with its default export or with why not. */
export async function loadModule(
  kind: ModuleKind,
  url: string,
  loaded: (outcome: LoadedModule) => void,
): Promise<void> {
  let outcome: LoadedModule;
  try {
    outcome = { exported: await importModule(kind, url) };
  } catch (error) {
    outcome = { failure: toFailure(error, `bad_${kind}`) };
  }
  loaded(outcome);
}

/**
 * The default export of the module at `url`: a function for an updater, a class with `update` for an
 * optimizer. Throws `bad_updater` or `bad_optimizer`.
 */
export async function importModule(kind: ModuleKind, url: string): Promise<unknown> {
  const code = `bad_${kind}` as const;
  let module: { readonly default?: unknown };
  try {
    module = (await import(url)) as typeof module;
  } catch (error) {
    const message = `the ${kind} module ${url} could not be imported: ${describe(error)}`;
    throw new KVStoreError(code, message, { cause: error });
  }
  const exported = module.default;
  const isUsable = kind === 'updater' ? typeof exported === 'function' : isOptimizerClass(exported);
  if (isUsable) return exported;
  const expected = kind === 'updater' ? 'a function' : 'a class with a method update';
  throw new KVStoreError(
    code,
    `the ${kind} module ${url} expected ${expected} as default export, got ${show(exported)}`,
  );
}
