import { KVStoreError, show } from './core/errors.js';
import { moduleUrl } from './core/module-url.js';
import { customOptimizer, customSpec, type CustomSpec } from './core/optimizers/custom.js';
import type { Optimizer } from './core/optimizers/optimizer.js';
import { optimizerNamed, optimizerNames } from './core/optimizers/registry.js';
import type { OptimizerModule } from './core/protocol.js';
import { importModule } from '../actors/module-loader.js';

/** A custom optimizer as this thread knows it. */
interface Registered {
  readonly module: OptimizerModule;
  readonly spec: CustomSpec;
}

const registered = new Map<string, Registered>();

/**
 * Makes the default export of the module at `url`, a class that extends `CustomOptimizer`, known as
 * the optimizer `name`: `setOptimizer(name, options)` and `load` on this thread can use it from then
 * on, in any case of letters. It runs in the coordinator, which imports the module too. A second
 * registration of a name replaces the first for what is set later. Rejects with `bad_optimizer` for a
 * name that is built in, a module that cannot be imported, or one that exports something else.
 */
export async function registerOptimizer(name: string, url: URL | string): Promise<void> {
  const lower = typeof name === 'string' ? name.toLowerCase() : '';
  if (!/^\w[\w-]*$/.test(lower) || (optimizerNames as readonly string[]).includes(lower)) {
    throw new KVStoreError(
      'bad_optimizer',
      `registerOptimizer expected a name of letters and digits that is not built in, got ${show(name)}`,
    );
  }
  const file = moduleUrl(url);
  if (file === undefined) {
    const message = `registerOptimizer expected the file: URL of a module, got ${show(url)}`;
    throw new KVStoreError('bad_optimizer', message);
  }
  const module = { name: lower, url: file };
  const spec = customSpec(lower, await importModule('optimizer', module.url));
  registered.set(lower, { module, spec });
}

/** The optimizer called `name`, with its module if it is a custom one. Throws `unknown_optimizer`. */
export function optimizerFor(name: string): {
  readonly optimizer: Optimizer;
  readonly module?: OptimizerModule;
} {
  const custom = registered.get(name.toLowerCase());
  if (custom === undefined) return { optimizer: optimizerNamed(name) };
  return { optimizer: customOptimizer(custom.spec), module: custom.module };
}

/** The modules of all that was registered; undefined: none. */
export function optimizerModules(): readonly OptimizerModule[] | undefined {
  return registered.size === 0 ? undefined : [...registered.values()].map(({ module }) => module);
}
