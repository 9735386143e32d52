import { inspect } from 'node:util';
import { KVStoreError } from './core/errors.js';
import { customOptimizer } from './core/optimizers/custom.js';
import {
  changeOptions,
  plainOptions,
  type CommonOptions,
  type Optimizer,
} from './core/optimizers/optimizer.js';
import {
  optimizerNamed,
  type OptimizerName,
  type OptimizerOptions,
} from './core/optimizers/registry.js';
import type { FromCoordinator } from './core/protocol.js';

/**
 * An optimizer's name and options; options can be assigned to. Those of every optimizer are declared:
 * one that the optimizer in force does not have is undefined, and cannot be set.
 */
export type OptimizerView = { readonly name: string } & Assignable<CommonOptions> &
  Assignable<Together<OptimizerOptions[OptimizerName]>>;

type Assignable<T> = { -readonly [Option in keyof T]: T[Option] };

/** All options of a union of option types. */
type Together<Union> = {
  [Option in Union extends unknown ? keyof Union : never]: Union extends unknown
    ? Option extends keyof Union
      ? Union[Option]
      : never
    : never;
};

type Notice = FromCoordinator & { readonly type: 'optimizer' };
type Send = (change: Readonly<Record<string, unknown>>) => Promise<void>;

/** The optimizer of a store, as the coordinator announces it. */
export class OptimizerInForce {
  readonly #send: Send;
  #live: LiveOptimizer | undefined;

  /** `send` carries an assigned option to the coordinator. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Throws `no_optimizer` when none is set. */
  get view(): OptimizerView {
    if (this.#live) return this.#live.view;
    const message = 'kv.optimizer expected setOptimizer to be called before';
    throw new KVStoreError('no_optimizer', message);
  }

  hear({ name, options, custom }: Notice): void {
    if (name === undefined || options === undefined) {
      this.#live = undefined;
      return;
    }
    const optimizer = custom === undefined ? optimizerNamed(name) : customOptimizer(custom);
    const resolved = optimizer.resolve(options);
    if (this.#live?.name === name) this.#live.replace(resolved);
    else this.#live = new LiveOptimizer(optimizer, resolved, this.#send);
  }
}

/** One optimizer as its user sees it: an assignment is checked here and sent on. */
class LiveOptimizer {
  readonly name: string;
  readonly view: OptimizerView;
  #options: CommonOptions;
  /** What the coordinator last said, and changes of this caller that it has not answered. */
  #heard: CommonOptions;
  #unanswered = 0;

  constructor(optimizer: Optimizer, options: CommonOptions, send: Send) {
    const { name } = optimizer;
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
        const assigned = String(option);
        this.#options = changeOptions(optimizer, this.#options, { [assigned]: value });
        // As it was resolved: a schedule or a list of factors may be changed by its owner later.
        const plain = plainOptions(this.#options);
        const change = { [assigned]: assigned in plain ? plain[assigned] : value };
        this.#unanswered += 1;
        // It fails where it is void, for the store is closed or has another optimizer; or at its deadline,
        // as the pushes behind it do.
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
