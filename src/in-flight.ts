import { codecOf } from './core/elements.js';
import { DeviceArray, type Elements } from './core/device-array.js';
import type { DType, TensorData } from './core/dtypes.js';
import { KVStoreError, showKey } from './core/errors.js';
import type { Key } from './core/keys.js';
import { isRowSparse, type RequestBody, type WireGroup } from './core/protocol.js';
import { arrayOf } from './core/tensor.js';

/** A call whose tensors are watched until it has ended. */
export interface WatchedCall {
  /** It has ended: its tensors are the caller's again. */
  end(): void;
  /** It has blocked, and is done: so are all calls on its keys that were made before. */
  settle(): void;
  /** Throws `bad_argument` if a value was not what it was when the call began, as the call ended. */
  check(): void;
}

/** A piece of memory that an open call reads, or writes. */
interface Use {
  readonly key: Key;
  readonly dtype: DType;
  readonly data: Elements;
  readonly isOut: boolean;
  /** A pushed value when its call began; undefined where nobody looks whether it changes. */
  before: TensorData | undefined;
}

/**
 * The debug mode of a store: knows the tensors of its open calls, and refuses uses of them that would
 * be a race. A pushed tensor may not be written to until its call has ended. What a call reads or
 * writes for one key may not be read or written for another by a call that overlaps it, unless both
 * read; calls on one key take effect in order, and may hand tensors on. Memory that two
 * `SharedArrayBuffer` objects stand for, as after a clone, is not seen to be the same; nor is it seen
 * whether a pushed tensor on a CUDA device changes.
 */
export class InFlight {
  readonly #open = new Map<Memory, Set<Use>>();

  /** Begins a call that has not been sent yet. Throws `bad_argument`, and is then not begun. */
  begin(body: RequestBody): WatchedCall {
    const uses = usesOf(body);
    for (const use of uses) for (const other of this.#meeting(use)) assertInOrder(use, other);
    for (const use of uses) this.#enter(use);
    let problem: KVStoreError | undefined;
    return {
      end: () => {
        for (const use of uses) this.#leave(use);
        problem = uses.map(changeOf).find((each) => each !== undefined);
      },
      settle: () => this.#settle(new Set(groupsOf(body).map(({ key }) => key))),
      check: () => {
        if (problem !== undefined) throw problem;
      },
    };
  }

  #settle(keys: ReadonlySet<Key>): void {
    for (const uses of this.#open.values()) {
      for (const use of uses) {
        if (!keys.has(use.key)) continue;
        use.before = undefined; // Whether it had changed by then, nobody knows.
        this.#leave(use);
      }
    }
  }

  /** Open uses of the same memory, one of the two writing. */
  #meeting(use: Use): Use[] {
    return [...(this.#open.get(memoryOf(use)) ?? [])].filter((other) => meet(use, other));
  }

  #enter(use: Use): void {
    // What a call on the same key writes to may change.
    for (const other of this.#meeting(use)) use.before = other.before = undefined;
    const uses = this.#open.get(memoryOf(use));
    if (uses === undefined) this.#open.set(memoryOf(use), new Set([use]));
    else uses.add(use);
  }

  #leave(use: Use): void {
    const uses = this.#open.get(memoryOf(use));
    if (uses?.delete(use) === true && uses.size === 0) this.#open.delete(memoryOf(use));
  }
}

/** What a request reads, and what it writes. */
function groupsOf(body: RequestBody): WireGroup[] {
  return [...valuesOf(body), ...outsOf(body)];
}

function valuesOf(body: RequestBody): readonly WireGroup[] {
  return 'push' in body ? body.push : 'values' in body ? body.values : [];
}

function outsOf(body: RequestBody): readonly WireGroup[] {
  return 'pull' in body ? body.pull : [];
}

function usesOf(body: RequestBody): Use[] {
  // Of the values of an init only rank 0's count, and not before all ranks are there.
  const isPush = 'push' in body;
  return [
    ...valuesOf(body).flatMap((group) => usesOfGroup(group, false, isPush)),
    ...outsOf(body).flatMap((group) => usesOfGroup(group, true, false)),
  ];
}

function usesOfGroup({ key, tensors }: WireGroup, isOut: boolean, keeps: boolean): Use[] {
  const use = (dtype: DType, data: Elements): Use => {
    const isSeen = keeps && !(data instanceof DeviceArray); // Elsewhere a look would have to wait.
    return { key, dtype, data, isOut, before: isSeen ? data.slice() : undefined };
  };
  return tensors.flatMap((tensor) => {
    if (!isRowSparse(tensor)) return [use(tensor.dtype, arrayOf(tensor))];
    return [use('int64', tensor.indices), use(tensor.rows.dtype, arrayOf(tensor.rows))];
  });
}

/** A buffer, or the number of an allocation on a CUDA device. */
type Memory = ArrayBufferLike | number;

function memoryOf({ data }: Use): Memory {
  return data instanceof DeviceArray ? data.id : data.buffer;
}

/** Whether two uses share memory, and one of them writes. */
function meet(a: Use, b: Use): boolean {
  if (!(a.isOut || b.isOut) || memoryOf(a) !== memoryOf(b)) return false;
  const end = ({ data }: Use): number => data.byteOffset + data.byteLength;
  return a.data.byteOffset < end(b) && b.data.byteOffset < end(a);
}

function assertInOrder(use: Use, other: Use): void {
  if (use.key === other.key) return;
  const what = (each: Use): string =>
    `${each.isOut ? 'an out' : 'a value'} of ${showKey(each.key)}`;
  throw new KVStoreError(
    'bad_argument',
    `${showKey(use.key)} expected a tensor that no open call writes to or reads, got ` +
      `${what(use)} that is ${what(other)} of a call that has not ended`,
    { key: use.key },
  );
}

function changeOf({ key, dtype, data, before }: Use): KVStoreError | undefined {
  if (before === undefined) return undefined;
  const now = data as TensorData;
  const at = now.findIndex((element, i) => !Object.is(element, before[i]));
  if (at < 0) return undefined;
  const { get } = codecOf(dtype);
  return new KVStoreError(
    'bad_argument',
    `${showKey(key)} expected its values to stay as they are until the push has ended, but ` +
      `element ${at} changed from ${get(before, at)} to ${get(now, at)}; the push was applied`,
    { key },
  );
}
