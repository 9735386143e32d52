import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { showDevice } from './core/devices.js';
import { KVStoreError, show, showKey } from './core/errors.js';
import type { Group, Key, Value } from './core/keys.js';
import type { OptimizerSpec } from './core/optimizers/optimizer.js';
import { rowIdList, type RowIds } from './core/row-ids.js';
import { assertOptions, isPlainObject } from './core/options.js';
import type { AnyTensor } from './core/tensor.js';

/** Keys of a call: one, or a list. */
export type Keys = Key | readonly Key[];

/** Tensors of a call: one or a list for one key; a list with one or a list for each of many keys. */
export type Tensors =
  | AnyTensor
  | readonly AnyTensor[]
  | readonly (AnyTensor | readonly AnyTensor[])[];

/** Values of a push: as `Tensors`, and row-sparse ones. */
export type Values = Value | readonly Value[] | readonly (Value | readonly Value[])[];

/** Options of every call over keys. */
export interface PushOptions {
  /**
   * Among keys that are ready at once, higher goes first; equal ones in the order of the calls.
   * Calls on one key stay in order whatever their priorities. A finite number, default 0.
   */
  readonly priority?: number;
}

/** Options of `pushpull` and `broadcast`, and of `pull` too. */
export interface PullOptions<Out extends Tensors = Tensors> extends PushOptions {
  /** Where to write. A tensor of another dtype gets the values cast. */
  readonly out?: Out;
}

/** Options of `pull` beside `out`. */
export interface ReadOptions extends PushOptions {
  /**
   * Pulls the weights to evaluate with instead of those to train with: the moving average of an
   * optimizer with `ema`, or the average of `schedulefreeadamw`. Default false.
   */
  readonly average?: boolean;
}

/** The absolute path that `path`, a string or a file URL, stands for. Throws `bad_argument`. */
export function filePath(path: unknown, method: string): string {
  if (typeof path === 'string' && path.length > 0 && !path.includes('\0')) return resolve(path);
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path);
  const message = `${method} expected the path of a file, got ${show(path)}`;
  throw new KVStoreError('bad_argument', message);
}

/** Options of `pullRows`. */
export interface RowOptions extends PushOptions {
  /** Which rows; left out: those that the key holds. */
  readonly rowIds?: RowIds;
  /** Where to write: a tensor of as many rows as there are unique ids, which have to be given. */
  readonly out?: AnyTensor;
}

/** The rows that `pullRows` is to give. Throws `row_id_out_of_range`, `bad_argument`. */
export function askedRows({ rowIds, out }: RowOptions): BigInt64Array | 'held' {
  if (rowIds !== undefined) return rowIdList(rowIds, Number.MAX_SAFE_INTEGER);
  if (out === undefined) return 'held';
  throw new KVStoreError('bad_argument', 'pullRows expected rowIds where there is out, got none');
}

/** Options of a pull that gives views. */
export interface ViewOptions extends PushOptions {
  /** Gives read-only views of what is stored, without a copy, each until it is released. */
  readonly view: true;
}

/** What a request says of the options of a pull, `out` apart. Throws `bad_argument`. */
export function checkPull(options: PullOptions & ReadOptions & Partial<ViewOptions>): {
  readonly priority?: number;
  readonly average?: boolean;
  readonly view?: boolean;
} {
  const order = checkCall(options, ['out', 'average', 'view'], 'pull');
  const { average = false, view = false } = options;
  for (const [name, value] of Object.entries({ average, view })) {
    if (typeof value === 'boolean') continue;
    const message = `pull expected ${name} to be true or false, got ${show(value)}`;
    throw new KVStoreError('bad_argument', message);
  }
  if (view && (average || options.out !== undefined)) {
    const other = average ? 'average' : 'out';
    throw new KVStoreError('bad_argument', `pull expected view or ${other}, got both`);
  }
  return { ...order, ...(average ? { average } : {}), ...(view ? { view } : {}) };
}

/** `groups`, or `bad_argument` when a tensor is on a simulated device past the store's `devices`. */
export function onDevices<T extends Value>(
  groups: Group<T>[],
  devices: number | undefined,
): Group<T>[] {
  if (devices === undefined) return groups;
  for (const { key, tensors } of groups) {
    const stranger = tensors.find(({ device }) => device.type === 'cpu' && device.index >= devices);
    if (stranger === undefined) continue;
    throw new KVStoreError(
      'bad_argument',
      `${showKey(key)} expected tensors on devices below ${devices}, got ` +
        showDevice(stranger.device),
      { key },
    );
  }
  return groups;
}

/** What `setOptimizer` was given, as a name and options. Throws `bad_optimizer`. */
export function optimizerSpec(optimizer: unknown, options: unknown): OptimizerSpec {
  if (typeof optimizer === 'string') {
    if (isPlainObject(options ?? {})) return { name: optimizer, options: { ...(options ?? {}) } };
    const message = `setOptimizer expected the options of ${optimizer}, got ${show(options)}`;
    throw new KVStoreError('bad_optimizer', message);
  }
  const spec = optimizer as Partial<OptimizerSpec> | null | undefined;
  if (typeof spec?.name === 'string' && isPlainObject(spec.options)) {
    if (options === undefined) return { name: spec.name, options: { ...spec.options } };
    const message = `setOptimizer expected options inside optim.${spec.name}(...), got more beside it`;
    throw new KVStoreError('bad_optimizer', message);
  }
  throw new KVStoreError(
    'bad_optimizer',
    `setOptimizer expected an optimizer such as optim.sgd({ lr: 0.1 }), got ${show(optimizer)}`,
  );
}

/**
 * Checks the options of a call, `priority` and `names`; what a request says of the priority. Throws
 * `bad_argument`.
 */
export function checkCall(
  options: PushOptions,
  names: readonly string[],
  method: string,
): PushOptions {
  assertOptions(options, ['priority', ...names], method);
  const { priority = 0 } = options;
  if (priority === 0) return {};
  if (Number.isFinite(priority)) return { priority };
  throw new KVStoreError(
    'bad_argument',
    `${method} expected priority to be a finite number, got ${show(priority)}`,
  );
}
