import type { Done } from '../actors/mailbox.js';
import {
  askedRows,
  checkCall,
  checkPull,
  onDevices,
  type Keys,
  type PullOptions,
  type PushOptions,
  type ReadOptions,
  type RowOptions,
  type Tensors,
  type Values,
  type ViewOptions,
} from './call-arguments.js';
import {
  assertKey,
  groupByKey,
  keyList,
  onePerKey,
  type Group,
  type Key,
  type Value,
} from './core/keys.js';
import type { RequestBody } from './core/protocol.js';
import { RowSparseTensor, type RowSparseHandle } from './core/row-sparse.js';
import type { TensorView } from './core/tensor-view.js';
import { Tensor, type AnyTensor, type TensorHandle } from './core/tensor.js';
import { asListCall, isPlain, RecentCalls, type PreparedCall } from './recent-calls.js';
import type { Statistics } from './statistics.js';
import type { ViewTable } from './view-table.js';

/** A call as a request, and what it gives once that is done. */
export interface KeyCall<Result> {
  readonly body: RequestBody;
  finish(done: Done): Result;
}

/** What calls over keys need of their store. */
interface KeyCallContext {
  readonly statistics: Statistics;
  readonly views: ViewTable;
  /** How many devices values and outs may live on; undefined: any. */
  readonly devices: number | undefined;
}

/** Makes requests of calls over keys. All arguments are checked here. */
export class KeyCalls {
  readonly #context: KeyCallContext;
  readonly #recent = new RecentCalls();

  constructor(context: KeyCallContext) {
    this.#context = context;
  }

  init(keys: Keys, values: Value | readonly Value[]): KeyCall<void> {
    const body = { type: 'init', values: this.#initGroups(keys, values) } as const;
    return { body, finish: () => undefined };
  }

  push(keys: Keys, values: Values, options: PushOptions): KeyCall<void> {
    const order = checkCall(options, [], 'push');
    const push = this.#groups(keys, values, 'values');
    return {
      body: { type: 'push', push, ...order },
      finish: () => this.#context.statistics.pushed(push),
    };
  }

  pull(keys: Keys, options: PullOptions & ReadOptions & Partial<ViewOptions>): KeyCall<Pulled> {
    const { statistics, views } = this.#context;
    const asked = checkPull(options);
    const { out } = options;
    if (out !== undefined) {
      const pull = this.#outs(keys, out);
      return {
        body: { type: 'pull', pull, ...asked },
        finish: () => {
          statistics.pulled(pull);
          return out;
        },
      };
    }
    const pull = keyList(keys).map((key) => ({ key, tensors: [] }));
    return {
      body: { type: 'pull', pull, ...asked },
      finish: ({ fresh = [], views: pinned }) => {
        const tensors =
          (pinned && views.open(pinned)) ??
          fresh.map((handle) => Tensor.fromHandle(handle as TensorHandle));
        statistics.pulled([{ tensors }]);
        return Array.isArray(keys) ? tensors : tensors[0]!;
      },
    };
  }

  pullRows(key: Key, options: RowOptions): KeyCall<RowSparseTensor | AnyTensor> {
    const order = checkCall(options, ['rowIds', 'out'], 'pullRows');
    const { out } = options;
    const rowIds = askedRows(options);
    assertKey(key);
    const pull = out === undefined ? [{ key, tensors: [] }] : this.#outs(key, out);
    return {
      body: { type: 'pullRows', pull, rowIds, ...order },
      finish: ({ fresh }) => {
        const tensor = out ?? RowSparseTensor.fromHandle(fresh![0] as RowSparseHandle);
        this.#context.statistics.pulled([{ tensors: [tensor] }]);
        return tensor;
      },
    };
  }

  pushpull(keys: Keys, values: Values, options: PullOptions): KeyCall<Tensors> {
    const order = checkCall(options, ['out'], 'pushpull');
    // Row-sparse values without outs are refused as outs.
    const out = options.out ?? (values as Tensors);
    const { push, pull } = this.#prepare(keys, values, out);
    return {
      body: { type: 'pushpull', push, pull, ...order },
      finish: () => {
        this.#context.statistics.pushed(push);
        this.#context.statistics.pulled(pull);
        return out;
      },
    };
  }

  /** Forgets the tensors of calls. */
  close(): void {
    this.#recent.clear();
  }

  #prepare(keys: Keys, values: Values, out: Tensors): PreparedCall {
    const call = asListCall(keys, values, out);
    const known = call && this.#recent.find(call);
    if (known !== undefined) return known;
    const prepared = {
      push: this.#groups(keys, values, 'values'),
      pull: this.#outs(keys, out),
    };
    if (call !== undefined && isPlain(call)) this.#recent.add(call, prepared);
    return prepared;
  }

  broadcast<Out extends Tensors>(
    keys: Keys,
    values: Value | readonly Value[],
    options: { readonly out: Out } & PushOptions,
  ): KeyCall<Out> {
    const order = checkCall(options, ['out'], 'broadcast');
    const initial = this.#initGroups(keys, values);
    const pull = this.#outs(keys, options.out);
    return {
      body: { type: 'broadcast', values: initial, pull, ...order },
      finish: () => {
        this.#context.statistics.pulled(pull);
        return options.out;
      },
    };
  }

  #initGroups(keys: Keys, values: Value | readonly Value[]): Group[] {
    const one = onePerKey(keys, values);
    const groups = one.keys.map((key, i) => ({ key, tensors: [one.values[i]!] }));
    return onDevices(groups, this.#context.devices);
  }

  #groups(keys: Keys, tensors: Values, what: string): Group[] {
    return onDevices(groupByKey(keys, tensors, what), this.#context.devices);
  }

  #outs(keys: Keys, outs: Tensors): Group<AnyTensor>[] {
    return this.#groups(keys, outs, 'outs') as Group<AnyTensor>[];
  }
}

/** What a pull gives. */
export type Pulled = Tensors | TensorView | TensorView[];
