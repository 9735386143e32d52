import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Done } from '../actors/mailbox.js';
import type { Plane } from '../actors/plane.js';
import {
  filePath,
  optimizerSpec,
  type Keys,
  type PullOptions,
  type PushOptions,
  type ReadOptions,
  type ViewOptions,
  type RowOptions,
  type Tensors,
  type Values,
} from './call-arguments.js';
import { hasCapability, type Capability } from './core/capabilities.js';
import { compressionSpec, type CompressionOptions } from './core/compression.js';
import { KVStoreError, placed } from './core/errors.js';
import { type Key, type Value } from './core/keys.js';
import { plainOptions, type OptimizerSpec } from './core/optimizers/optimizer.js';
import type { RequestBody } from './core/protocol.js';
import type { AnyTensor, Tensor } from './core/tensor.js';
import type { RowIds } from './core/row-ids.js';
import type { RowSparseTensor } from './core/row-sparse.js';
import type { TensorView } from './core/tensor-view.js';
import type { Updater } from './core/updaters.js';
import { InFlight } from './in-flight.js';
import { KeyCalls, type KeyCall, type Pulled } from './key-calls.js';
import { KVStoreBase } from './kv-store-base.js';
import { OptimizerInForce, type OptimizerView } from './live-optimizer.js';
import { optimizerFor, optimizerModules } from './optimizer-registry.js';
import { Statistics, type KVStoreStats } from './statistics.js';
import type { PlaneHandlers, StoreIdentity } from './store-identity.js';
import { UpdaterTable } from './updater-table.js';
import { ViewTable } from './view-table.js';

/** A coordinator that does not say goodbye by then is busy with what will never end. */
const leaveGraceMs = 2000;

/**
 * A store of tensors under keys, as one caller or one worker sees it. Made by `createKVStore` and
 * handed to workers by `launch`. Every call returns a promise at once; calls on a key take effect in
 * the order they were made. A rejected call was not applied; one over a list of keys may have been
 * applied to other keys than the one that its error names.
 */
export class KVStore extends KVStoreBase {
  readonly #identity: StoreIdentity;
  readonly #statistics: Statistics;
  readonly #keys = new Set<Key>();
  readonly #updaters = new UpdaterTable();
  readonly #optimizer = new OptimizerInForce((options) =>
    this.#call(async () => {
      await this.#request({ type: 'setHyper', options });
    }),
  );
  readonly #views = new ViewTable((pins) => this.#plane.release(pins));
  readonly #keyCalls: KeyCalls;
  /** With the option `debug`. */
  readonly #inFlight: InFlight | undefined;
  readonly #calls = new Set<Promise<unknown>>();
  #plane!: Plane;
  #closing: Promise<void> | undefined;

  private constructor(identity: StoreIdentity) {
    super({}, identity.type.name);
    this.#identity = identity;
    this.#statistics = new Statistics(identity.status);
    const { devices, debug } = identity;
    this.#keyCalls = new KeyCalls({ statistics: this.#statistics, views: this.#views, devices });
    this.#inFlight = debug ? new InFlight() : undefined;
  }

  /** How `createKVStore` and `launch` make one; programs have no plane to give. */
  static async open(
    open: (handlers: PlaneHandlers) => Plane | Promise<Plane>,
    identity: StoreIdentity,
  ): Promise<KVStore> {
    const store = new KVStore(identity);
    store.#plane = await open({
      onUpdate: (update) => store.#updaters.run(update),
      onNotice: (notice) => {
        if (notice.type === 'optimizer') return store.#optimizer.hear(notice);
        for (const { key } of notice.keys) store.#keys.add(key);
      },
    });
    return store;
  }

  /** This worker among `numWorkers`, from 0. */
  override get rank(): number {
    return this.#identity.rank;
  }

  /** How many ranks there are: `add` of a group makes it grow, and nothing makes it fall. */
  override get numWorkers(): number {
    return this.#statistics.workers;
  }

  /** The store's keys, in order of init. */
  override get keys(): readonly Key[] {
    return [...this.#keys];
  }

  /**
   * The optimizer in force: its options can be read, and set at any time; a change holds for every
   * push made after it. Throws `no_optimizer` when none is set, `bad_optimizer` for a bad value.
   */
  override get optimizer(): OptimizerView {
    return this.#optimizer.view;
  }

  /**
   * Copies a value in under each new key; a list is all or nothing. A row-sparse value makes a key
   * that holds only rows which were pushed to it. Among workers rank 0's values count. Rejects with
   * `duplicate_key`, `bad_key_type`, `mixed_key_types`, `length_mismatch`, `memory_limit`.
   */
  init(keys: Keys, values: Value | readonly Value[]): Promise<void> {
    return this.#keyCall(() => this.#keyCalls.init(keys, values));
  }

  /**
   * Adds the values of a key in order, then updates the stored tensor once: with the updater or
   * optimizer, or by replacing it. Resolves when it is applied; the values may then be reused.
   * Rejects with `unknown_key`, `shape_mismatch`, `dtype_mismatch`, `length_mismatch`,
   * `updater_error`, `updater_required`, `timeout`, `peer_dead`.
   */
  push(keys: Keys, values: Values, options: PushOptions = {}): Promise<void> {
    return this.#keyCall(() => this.#keyCalls.push(keys, values, options));
  }

  /** As `push`, and blocks this thread until it is applied. Throws what `push` rejects with. */
  pushSync(keys: Keys, values: Values, options: PushOptions = {}): void {
    this.#keyCallSync(() => this.#keyCalls.push(keys, values, options));
  }

  /**
   * Writes the stored tensor to every out and resolves with `out`; without one, with a fresh tensor
   * per key, or with a view of what is stored. Sees every push that this caller made before. Rejects
   * as `push` does.
   */
  pull(key: Key, options: ViewOptions): Promise<TensorView>;
  pull(keys: readonly Key[], options: ViewOptions): Promise<TensorView[]>;
  pull(key: Key, options?: ReadOptions): Promise<Tensor>;
  pull(keys: readonly Key[], options?: ReadOptions): Promise<Tensor[]>;
  pull<Out extends Tensors>(keys: Keys, options: { readonly out: Out } & ReadOptions): Promise<Out>;
  pull(
    keys: Keys,
    options: PullOptions & ReadOptions & Partial<ViewOptions> = {},
  ): Promise<Pulled> {
    return this.#keyCall(() => this.#keyCalls.pull(keys, options));
  }

  /** As `pull`, and blocks this thread until it is done. Throws what `pull` rejects with. */
  pullSync(key: Key, options: ViewOptions): TensorView;
  pullSync(keys: readonly Key[], options: ViewOptions): TensorView[];
  pullSync(key: Key, options?: ReadOptions): Tensor;
  pullSync(keys: readonly Key[], options?: ReadOptions): Tensor[];
  pullSync<Out extends Tensors>(keys: Keys, options: { readonly out: Out } & ReadOptions): Out;
  pullSync(keys: Keys, options: PullOptions & ReadOptions & Partial<ViewOptions> = {}): Pulled {
    return this.#keyCallSync(() => this.#keyCalls.pull(keys, options));
  }

  /**
   * The rows `rowIds` of a key as a row-sparse tensor, or written to `out`, of shape [n, ...] with n
   * unique ids. Ids come in any order and shape, duplicates included; they are made unique and
   * ascending. Without `rowIds` the rows that the key holds: all of a dense one. Rejects with `row_id_out_of_range`, `unknown_key`, `shape_mismatch`.
   */
  override pullRows(
    key: Key,
    options?: { readonly rowIds?: RowIds } & PushOptions,
  ): Promise<RowSparseTensor>;
  override pullRows<Out extends AnyTensor>(
    key: Key,
    options: { readonly rowIds: RowIds; readonly out: Out } & PushOptions,
  ): Promise<Out>;
  override pullRows(key: Key, options: RowOptions = {}): Promise<RowSparseTensor | AnyTensor> {
    return this.#keyCall(() => this.#keyCalls.pullRows(key, options));
  }

  /**
   * All pushes of the call, then all its pulls; into the values themselves when there is no `out`.
   * Resolves with what was written to. Rejects as `push` and `pull` do.
   */
  pushpull<Out extends Tensors>(
    keys: Keys,
    values: Values,
    options: { readonly out: Out } & PushOptions,
  ): Promise<Out>;
  pushpull<Given extends Tensors>(keys: Keys, values: Given, options?: PushOptions): Promise<Given>;
  pushpull(keys: Keys, values: Values, options: PullOptions = {}): Promise<Tensors> {
    return this.#keyCall(() => this.#keyCalls.pushpull(keys, values, options));
  }

  /** As `pushpull`, and blocks this thread until it is done. Throws what `pushpull` rejects with. */
  pushpullSync<Out extends Tensors>(
    keys: Keys,
    values: Values,
    options: { readonly out: Out } & PushOptions,
  ): Out;
  pushpullSync<Given extends Tensors>(keys: Keys, values: Given, options?: PushOptions): Given;
  pushpullSync(keys: Keys, values: Values, options: PullOptions = {}): Tensors {
    return this.#keyCallSync(() => this.#keyCalls.pushpull(keys, values, options));
  }

  /** `init`, then a pull to every out. Rejects as they do. */
  broadcast<Out extends Tensors>(
    keys: Keys,
    values: Value | readonly Value[],
    options: { readonly out: Out } & PushOptions,
  ): Promise<Out> {
    return this.#keyCall(() => this.#keyCalls.broadcast(keys, values, options));
  }

  /**
   * Sets how a round's sum changes the stored tensor: a function, which runs on this thread; the URL
   * of a module whose default export is one, which runs in the coordinator; or undefined, for the
   * sum to replace the stored tensor. Replaces an optimizer. Among workers rank 0's counts. Rejects
   * with `bad_updater`.
   */
  override setUpdater(updater: Updater | URL | string | undefined): Promise<void> {
    return this.#call(async () => {
      await this.#request({ type: 'setUpdater', updater: this.#updaters.add(updater) });
    });
  }

  /**
   * Sets the optimizer that updates every key from now on: `optim.sgd({ lr: 0.1 })`, or its name and
   * options; see `registerOptimizer` for one of your own. Replaces an updater. Among workers rank 0's counts. Rejects with `unknown_optimizer`,
   * `bad_optimizer`.
   */
  override setOptimizer(optimizer: OptimizerSpec | string, options?: object): Promise<void> {
    return this.#call(async () => {
      const spec = optimizerSpec(optimizer, options);
      const { optimizer: known, module } = optimizerFor(spec.name);
      const resolved = { name: known.name, options: plainOptions(known.resolve(spec.options)) };
      const from = module === undefined ? {} : { module };
      await this.#request({ type: 'setOptimizer', optimizer: resolved, ...from });
    });
  }

  /**
   * Compresses gradients from now on, with error feedback: each pushed value on `device`, each
   * worker's sum on `dist_*`. `{ type: '2bit', threshold }` or `{ type: '1bit', threshold }`, see
   * `codec`; undefined: no more. Among workers rank 0's counts. Rejects with `bad_compression`, and
   * with `unsupported` on `local`; pushes to keys that are not float32 then do.
   */
  override setGradientCompression(compression: CompressionOptions | undefined): Promise<void> {
    return this.#call(async () => {
      const spec = compression === undefined ? undefined : compressionSpec(compression);
      await this.#request({ type: 'setCompression', compression: spec });
    });
  }

  /**
   * Writes the whole store to one safetensors file: weights, optimizer with its schedule, states and
   * update counts, versions. It is one instant: all that this caller pushed before is in it. A crash
   * leaves the old file or the new one. Rejects with `bad_checkpoint`.
   */
  override save(path: string | URL): Promise<void> {
    return this.#stateCall('save', 'store', path);
  }

  /**
   * Takes over the store of a file: its keys are made, or replaced if they are like the file's; other
   * keys stay. Its optimizer is set, if it has one. Training goes on as if it had never stopped. A
   * file that another program wrote gives one key a tensor. Rejects with `bad_checkpoint`,
   * `mixed_key_types`, `unknown_optimizer`, `memory_limit`, and has then changed nothing.
   */
  override load(path: string | URL): Promise<void> {
    return this.#stateCall('load', 'store', path);
  }

  /** As `save`, of what the optimizer remembers alone. Rejects with `no_optimizer` too. */
  override saveOptimizerStates(path: string | URL): Promise<void> {
    return this.#stateCall('save', 'optimizer', path);
  }

  /**
   * Takes over states and update counts that `saveOptimizerStates` of the same optimizer wrote; its
   * options stay as they are. Rejects with `no_optimizer`, `bad_checkpoint`, `unknown_key`,
   * `memory_limit`, and has then changed nothing.
   */
  override loadOptimizerStates(path: string | URL): Promise<void> {
    return this.#stateCall('load', 'optimizer', path);
  }

  /** Whether this store can do a thing that not every store can. Throws `unknown_capability`. */
  override isCapable(capability: Capability): boolean {
    return hasCapability(this.#identity.type, capability);
  }

  /** Resolves once every live worker is here. Rejects with `peer_dead` or `timeout`. */
  override barrier(): Promise<void> {
    return this.#call(async () => {
      await this.#request({ type: 'barrier' });
    });
  }

  /** Resolves once every call made before has ended, well or not. */
  override async flush(): Promise<void> {
    await Promise.allSettled([...this.#calls]);
  }

  /** Workers that died: ended without leaving in good order. */
  override numDeadNodes(): number {
    return this.#statistics.read(0).dead;
  }

  /** Counts of this caller's calls and of the whole store, as they are now. */
  override stats(): KVStoreStats {
    return this.#statistics.read(this.#plane.inFlight);
  }

  /**
   * Ends the store and all that it started. A worker's open calls are taken back with `closed`; a
   * single caller's finish first. Views are released. Later calls reject with `closed`. May be called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What `console.log` shows. */
  [inspect.custom](): string {
    const { type, rank, numWorkers } = this;
    return `KVStore { type: '${type}', rank: ${rank} of ${numWorkers}, keys: ${this.#keys.size} }`;
  }

  async #close(): Promise<void> {
    if (this.numWorkers === 1) await this.flush();
    this.#views.close();
    this.#keyCalls.close();
    const left = this.#plane.request({ type: 'leave' }).catch(() => undefined);
    await Promise.race([left, delay(leaveGraceMs, undefined, { ref: false })]);
    await this.#plane.stop();
  }

  /** Runs a call so that what it throws is a rejection, and `flush` knows of it. */
  async #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closing) throw closed();
    const call = run();
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  #keyCall<T>(prepare: () => KeyCall<T>): Promise<T> {
    return this.#call(async () => {
      const { body, finish } = prepare();
      const watched = this.#inFlight?.begin(body);
      const ended = this.#request(body);
      if (watched === undefined) return finish(await ended);
      const result = finish(await ended.finally(watched.end));
      watched.check();
      return result;
    });
  }

  #keyCallSync<T>(prepare: () => KeyCall<T>): T {
    if (this.#closing) throw closed();
    const { body, finish } = prepare();
    const watched = this.#inFlight?.begin(body);
    if (watched === undefined) return finish(this.#plane.requestSync(body));
    let done: Done;
    try {
      done = this.#plane.requestSync(body);
    } finally {
      watched.end();
    }
    watched.settle();
    const result = finish(done);
    watched.check();
    return result;
  }

  #stateCall(type: 'save' | 'load', what: 'store' | 'optimizer', path: unknown): Promise<void> {
    return this.#call(async () => {
      const modules = type === 'load' ? optimizerModules() : undefined;
      const known = modules === undefined ? {} : { modules };
      await this.#request({ type, what, path: filePath(path, type), ...known });
    });
  }

  async #request(body: RequestBody): Promise<Done> {
    try {
      return await this.#plane.request(body);
    } catch (error) {
      throw placed(error);
    }
  }
}

function closed(): KVStoreError {
  return new KVStoreError('closed', 'expected an open store, but it was closed');
}
