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
  /** What the coordinator last said, and changes of this caller that it has not answered. */
  #heard: CommonOptions;
  #unanswered = 0;

  constructor(
    name: string,
    options: CommonOptions,
    send: (change: Readonly<Record<string, unknown>>) => Promise<void>,
  ) {
    this.name = name;
    this.#options = options;
    this.#heard = options;
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
        this.#unanswered += 1;
        // It can only fail once the store is closed or has another optimizer: then it is void.
        const answered = (): void => this.#answered();
        send(change).then(answered, answered);
        return true;
      },
    });
  }

  /** The coordinator's options have changed; changes of this caller on their way come on top. */
  replace(options: CommonOptions): void {
    this.#heard = options;
    if (this.#unanswered === 0) this.#options = options;
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#options = this.#heard;
  }
}
