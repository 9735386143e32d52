import { inspect } from 'node:util';
import type { CommonOptions } from './core/optimizers/optimizer.js';
import { optimizerNamed } from './core/optimizers/registry.js';

/** An optimizer's name and options; options can be assigned to. */
export type OptimizerView = {
  readonly name: string;
} & {
  -readonly [Option in keyof CommonOptions]: CommonOptions[Option];
} & { momentum: number };

/** The optimizer in force as its user sees it: an assignment is checked here and sent on. */
export class LiveOptimizer {
  readonly name: string;
  readonly view: OptimizerView;
  #options: CommonOptions;

  constructor(
    name: string,
    options: CommonOptions,
    send: (change: Readonly<Record<string, unknown>>) => Promise<void>,
  ) {
    this.name = name;
    this.#options = options;
    // console.log looks past a proxy, at this.
    const printed = { [inspect.custom]: () => ({ name, ...this.#options }) };
    this.view = new Proxy(printed as unknown as OptimizerView, {
      get: (_, option) => (option === 'name' ? name : Reflect.get(this.#options, option)),
      has: (_, option) => option === 'name' || option in this.#options,
      ownKeys: () => ['name', ...Reflect.ownKeys(this.#options)],
      getOwnPropertyDescriptor: (_, option) => ({
        configurable: true,
        enumerable: true,
        writable: option !== 'name',
        value: option === 'name' ? name : (Reflect.get(this.#options, option) as unknown),
      }),
      set: (_, option, value: unknown) => {
        const change = { [option]: value };
        this.#options = optimizerNamed(name).resolve({ ...this.#options, ...change });
        // It can only fail once the store is closed or has another optimizer: then it is void.
        send(change).catch(() => undefined);
        return true;
      },
    });
  }

  /** The options as the coordinator has them. */
  replace(options: CommonOptions): void {
    this.#options = options;
  }
}
