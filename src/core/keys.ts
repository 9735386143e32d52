import { KVStoreError, show, showKey } from './errors.js';
import { RowSparseTensor } from './row-sparse.js';
import { Tensor, type AnyTensor } from './tensor.js';
import { TensorView } from './tensor-view.js';

/** Names one stored tensor: an integer from 0 up, or a non-empty string; one kind in a store. */
export type Key = number | string;

/** What can be pushed: a tensor, or a row-sparse one. */
export type Value = AnyTensor | RowSparseTensor;

/** What a call says of one key: a push's values, a pull's outs. */
export interface Group<T extends Value = Value> {
  readonly key: Key;
  readonly tensors: T[];
}

/** Throws `bad_key_type` unless `key` can name a tensor. */
export function assertKey(key: unknown): asserts key is Key {
  if (typeof key === 'string' && key.length > 0) return;
  if (Number.isSafeInteger(key) && (key as number) >= 0) return;
  throw new KVStoreError(
    'bad_key_type',
    `expected a key (an integer from 0 up, or a non-empty string), got ${show(key)}`,
  );
}

/** The keys of a call as a list, all valid and of one kind (`bad_key_type`, `mixed_key_types`). */
export function keyList(keys: Key | readonly Key[]): readonly Key[] {
  const list: readonly Key[] = Array.isArray(keys) ? (keys as Key[]) : [keys as Key];
  for (const key of list) assertKey(key); // forEach would pass over holes.
  const stranger = list.find((key) => typeof key !== typeof list[0]);
  if (stranger !== undefined) {
    throw new KVStoreError(
      'mixed_key_types',
      `expected ${typeof list[0]} keys as ${showKey(list[0])} is one, got ${showKey(stranger)}`,
      { key: stranger },
    );
  }
  return list;
}

/**
 * Pairs keys with tensors: one key takes a tensor or a list of them; a list of keys takes a list of
 * as many tensors or lists. A key that stands twice is one group, its tensors in order.
 * `what` names the tensors in messages: `values`, `outs`. Throws `length_mismatch`, `bad_argument`.
 */
export function groupByKey(
  keys: Key | readonly Key[],
  tensors: Value | readonly Value[] | readonly (Value | readonly Value[])[],
  what: string,
): Group[] {
  if (!Array.isArray(keys)) {
    const group: Group = { key: keys as Key, tensors: [] };
    assertKey(group.key);
    addTensors(group, tensors, what);
    return [group];
  }
  const list = keyList(keys as readonly Key[]);
  const perKey = listOf(tensors, list.length, what);
  const groups = new Map<Key, Group>();
  list.forEach((key, i) => {
    const group = groups.get(key) ?? { key, tensors: [] };
    addTensors(group, perKey[i], what);
    groups.set(key, group);
  });
  return [...groups.values()];
}

function addTensors({ key, tensors }: Group, added: unknown, what: string): void {
  for (const each of tensorList(key, added, what)) {
    tensors.push(each instanceof TensorView ? elementsOf(each, key, what) : each);
  }
}

/** One tensor per key, for `init` and `broadcast`. Throws as `groupByKey` does. */
export function onePerKey(
  keys: Key | readonly Key[],
  values: Value | readonly Value[],
): { readonly keys: readonly Key[]; readonly values: readonly Value[] } {
  const list = keyList(keys);
  const perKey: readonly unknown[] = Array.isArray(keys)
    ? listOf(values, list.length, 'values')
    : [values];
  const checked = list.map((key, i) => {
    const value = perKey[i];
    if (value instanceof TensorView) return elementsOf(value, key, 'values');
    if (value instanceof Tensor || value instanceof RowSparseTensor) return value as Value;
    const message = `${showKey(key)} expected the value to be one tensor, got ${show(value)}${remedy(value)}`;
    throw new KVStoreError('bad_argument', message, { key });
  });
  return { keys: list, values: checked };
}

function listOf(tensors: unknown, count: number, what: string): readonly unknown[] {
  const got = Array.isArray(tensors) ? tensors.length : show(tensors);
  if (got === count) return tensors as unknown[];
  throw new KVStoreError(
    'length_mismatch',
    `expected a list of ${count} ${what}, one for each key, got ${got}`,
  );
}

function tensorList(key: Key, tensors: unknown, what: string): readonly Value[] {
  if (!Array.isArray(tensors)) {
    assertTensor(key, tensors, what);
    return [tensors];
  }
  if (tensors.length === 0) {
    throw new KVStoreError(
      'length_mismatch',
      `${showKey(key)} expected ${what}, got an empty list`,
      {
        key,
      },
    );
  }
  for (const each of tensors as unknown[]) assertTensor(key, each, what);
  return tensors as Value[];
}

/** What is read of a view; nothing is written to it. */
function elementsOf(view: TensorView, key: Key, what: string): AnyTensor {
  if (what !== 'outs' && !view.isReleased) return view.elements();
  const got = view.isReleased ? 'a view that was released' : 'a view, which is read-only';
  throw new KVStoreError(
    'bad_argument',
    `${showKey(key)} expected ${what} to be tensors, got ${got}`,
    {
      key,
    },
  );
}

function assertTensor(key: Key, value: unknown, what: string): asserts value is Value {
  if (value instanceof Tensor) return;
  // Outs are written as a whole, which a row-sparse tensor has no room for.
  if (value instanceof RowSparseTensor && what === 'values') return;
  throw new KVStoreError(
    'bad_argument',
    `${showKey(key)} expected ${what} to be a tensor or a list of tensors, got ${show(value)}${remedy(value)}`,
    {
      key,
    },
  );
}

/** What to do with numbers that are no tensor yet. */
function remedy(value: unknown): string {
  const isNumbers = typeof value === 'number' || Array.isArray(value) || ArrayBuffer.isView(value);
  return isNumbers ? ': make a tensor of numbers with tensor(...)' : '';
}
