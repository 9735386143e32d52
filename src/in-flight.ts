import { codecOf } from './core/elements.js';
import type { TensorData } from './core/dtypes.js';
import { KVStoreError, showKey } from './core/errors.js';
import type { Key } from './core/keys.js';
import { isRowSparse, type RequestBody, type WireGroup } from './core/protocol.js';
import type { TensorHandle } from './core/tensor.js';

/** A call whose tensors are watched until it has ended. */
export interface WatchedCall {
  /** The call's outcome, or `bad_argument` where a value was written to before the call ended. */
  over<T>(ended: Promise<T>): Promise<T>;
  /** The same of a call that blocks. */
  during<T>(call: () => T): T;
}

/** A tensor that an open call reads, or writes. */
interface Use {
  readonly key: Key;
  readonly dtype: TensorHandle['dtype'];
  readonly data: TensorData;
  readonly isOut: boolean;
  /** A value's elements when its call began; undefined where a call on its key may write to it. */
  before: TensorData | undefined;
}

/**
 * The debug mode of a store: knows the tensors of its open calls, and refuses uses of them that would
 * be a race. A pushed tensor may not be written to until its call has ended. What a call reads or
 * writes for one key may not be read or written for another by a call that overlaps it, unless both
 * read; calls on one key take effect in order, and may hand tensors on.
 */
export class InFlight {
  readonly #open = new Set<Use>();

  /** Begins a call that has not been sent yet. Throws `bad_argument`, and is then not begun. */
  begin(body: RequestBody): WatchedCall {
    const uses = usesOf(body);
    for (const use of uses) {
      for (const other of this.#open) if (meet(use, other)) assertInOrder(use, other);
    }
    for (const use of uses) this.#enter(use, uses);
    return {
      over: async (ended) => {
        const result = await ended.finally(() => this.#leave(uses));
        uses.forEach(assertUnchanged);
        return result;
      },
      during: (call) => {
        try {
          const result = call();
          uses.forEach(assertUnchanged);
          return result;
        } finally {
          this.#leave(uses);
        }
      },
    };
  }

  #enter(use: Use, own: readonly Use[]): void {
    for (const other of [...this.#open, ...own]) {
      if (other === use || !meet(use, other)) continue;
      if (use.isOut) other.before = undefined;
      if (other.isOut) use.before = undefined;
    }
    this.#open.add(use);
  }

  #leave(uses: readonly Use[]): void {
    for (const use of uses) this.#open.delete(use);
  }
}

/** The tensors of a request: those of values, then those of outs. */
function usesOf(body: RequestBody): Use[] {
  const values = 'push' in body ? body.push : 'values' in body ? body.values : [];
  const outs: readonly WireGroup[] = 'pull' in body ? body.pull : [];
  return [
    ...values.flatMap((group) => usesOfGroup(group, false)),
    ...outs.flatMap((group) => usesOfGroup(group, true)),
  ];
}

function usesOfGroup({ key, tensors }: WireGroup, isOut: boolean): Use[] {
  return tensors.map((tensor) => {
    const { dtype, data } = isRowSparse(tensor) ? tensor.rows : tensor;
    return { key, dtype, data, isOut, before: isOut ? undefined : data.slice() };
  });
}

/** Whether two uses share memory, and one of them writes. */
function meet(a: Use, b: Use): boolean {
  if (!(a.isOut || b.isOut) || a.data.buffer !== b.data.buffer) return false;
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

function assertUnchanged({ key, dtype, data, before }: Use): void {
  if (before === undefined) return;
  const at = data.findIndex((element, i) => !Object.is(element, before[i]));
  if (at < 0) return;
  const { get } = codecOf(dtype);
  throw new KVStoreError(
    'bad_argument',
    `${showKey(key)} expected its values to stay as they are until the push has ended, but ` +
      `element ${at} changed from ${get(before, at)} to ${get(data, at)}; the push was applied`,
    { key },
  );
}
