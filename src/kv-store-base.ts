import type { Keys, PullOptions, PushOptions, RowOptions, Tensors } from './call-arguments.js';
import type { Capability } from './core/capabilities.js';
import type { CompressionOptions } from './core/compression.js';
import { KVStoreError } from './core/errors.js';
import type { Key } from './core/keys.js';
import type { OptimizerSpec } from './core/optimizers/optimizer.js';
import type { RowSparseTensor } from './core/row-sparse.js';
import type { AnyTensor, Tensor } from './core/tensor.js';
import type { Updater } from './core/updaters.js';
import type { OptimizerView } from './live-optimizer.js';
import type { KVStoreStats } from './statistics.js';

/**
 * What every store is: the built-in ones, and those of a user's own class that `registerKVStore`
 * names. `createKVStore(name, options)` makes one with `new Class(options, name)`, then awaits
 * `open()`. A class must have `init`, `push`, `pull`, `pushpull`, `broadcast` and `close`; whatever
 * else it leaves out throws or rejects with `unsupported`.
 */
export abstract class KVStoreBase implements AsyncDisposable {
  /** The name the store was made with, in lower case. */
  readonly type: string;

  /** `options` are those of `createKVStore`, as they were given. */
  constructor(_options: object = {}, type: string = new.target.name.toLowerCase()) {
    this.type = type;
  }

  /** Copies a value in under each new key. */
  abstract init(keys: Keys, values: Tensor | readonly Tensor[]): Promise<void>;

  /** Adds the values of a key, then updates the stored tensor. */
  abstract push(keys: Keys, values: Tensors, options?: PushOptions): Promise<void>;

  /** Writes the stored tensors to the outs, or to fresh tensors. */
  abstract pull(keys: Keys, options?: PullOptions): Promise<Tensors>;

  /** Some rows of a key. */
  async pullRows(_key: Key, _options?: RowOptions): Promise<RowSparseTensor | AnyTensor> {
    throw this.#unsupported('pullRows');
  }

  /** All pushes of the call, then all its pulls. */
  abstract pushpull(keys: Keys, values: Tensors, options?: PullOptions): Promise<Tensors>;

  /** `init`, then a pull to every out. */
  abstract broadcast(
    keys: Keys,
    values: Tensor | readonly Tensor[],
    options: PullOptions,
  ): Promise<Tensors>;

  /** Ends the store. May be called again. */
  abstract close(): Promise<void>;

  /** Called once, before anybody else gets the store: for what a constructor cannot await. */
  async open(): Promise<void> {}

  /** This worker among `numWorkers`, from 0. */
  get rank(): number {
    return 0;
  }

  get numWorkers(): number {
    return 1;
  }

  /** Whether this store can do a thing that not every store can. */
  isCapable(_capability: Capability): boolean {
    return false;
  }

  get keys(): readonly Key[] {
    throw this.#unsupported('keys');
  }

  get optimizer(): OptimizerView {
    throw this.#unsupported('optimizer');
  }

  async setUpdater(_updater: Updater | URL | string | undefined): Promise<void> {
    throw this.#unsupported('setUpdater');
  }

  async setOptimizer(_optimizer: OptimizerSpec | string, _options?: object): Promise<void> {
    throw this.#unsupported('setOptimizer');
  }

  async setGradientCompression(_compression: CompressionOptions | undefined): Promise<void> {
    throw this.#unsupported('setGradientCompression');
  }

  async save(_path: string | URL): Promise<void> {
    throw this.#unsupported('save');
  }

  async load(_path: string | URL): Promise<void> {
    throw this.#unsupported('load');
  }

  async saveOptimizerStates(_path: string | URL): Promise<void> {
    throw this.#unsupported('saveOptimizerStates');
  }

  async loadOptimizerStates(_path: string | URL): Promise<void> {
    throw this.#unsupported('loadOptimizerStates');
  }

  async barrier(): Promise<void> {
    throw this.#unsupported('barrier');
  }

  async flush(): Promise<void> {
    throw this.#unsupported('flush');
  }

  numDeadNodes(): number {
    throw this.#unsupported('numDeadNodes');
  }

  stats(): KVStoreStats {
    throw this.#unsupported('stats');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #unsupported(method: string): KVStoreError {
    const message = `a store with ${method} was expected, but type ${this.type} has none`;
    return new KVStoreError('unsupported', message);
  }
}
