import { toFailure, type Failure } from '../src/core/errors.js';
import {
  customOptimizer,
  customSpec,
  type CustomOptimizer,
} from '../src/core/optimizers/custom.js';
import type { Optimizer } from '../src/core/optimizers/optimizer.js';
import { optimizerNamed } from '../src/core/optimizers/registry.js';
import type { OptimizerModule } from '../src/core/protocol.js';
import type { CoordinatorHost } from './coordinator-needs.js';

/** The optimizers that a coordinator can use: the built-in ones, and custom ones once loaded. */
export class Optimizers {
  readonly #loadModule: CoordinatorHost['loadModule'];
  readonly #custom = new Map<string, { readonly url: string; readonly optimizer: Optimizer }>();

  constructor(host: Pick<CoordinatorHost, 'loadModule'>) {
    this.#loadModule = host.loadModule.bind(host);
  }

  /** Throws `unknown_optimizer`. */
  named(name: string): Optimizer {
    return this.#custom.get(name)?.optimizer ?? optimizerNamed(name);
  }

  /** Whether one of `modules` is still to be loaded. */
  areMissing(modules: readonly OptimizerModule[]): boolean {
    return modules.some((module) => !this.#has(module));
  }

  /** Loads what is missing, one after the other, then calls `done`. */
  load(modules: readonly OptimizerModule[], done: (failure: Failure | undefined) => void): void {
    const next = modules.find((module) => !this.#has(module));
    if (next === undefined) return done(undefined);
    const { name, url } = next;
    this.#loadModule('optimizer', url, (outcome) => {
      if ('failure' in outcome) return done(outcome.failure);
      try {
        const Class = outcome.exported as new () => CustomOptimizer;
        const instance = new Class();
        const update = instance.update.bind(instance);
        const optimizer = customOptimizer(customSpec(name, Class), update);
        this.#custom.set(name, { url, optimizer });
      } catch (error) {
        return done(toFailure(error, 'bad_optimizer'));
      }
      this.load(modules, done);
    });
  }

  #has({ name, url }: OptimizerModule): boolean {
    return this.#custom.get(name)?.url === url;
  }
}
