import type { Group, Key } from './core/keys.js';
import { TensorView } from './core/tensor-view.js';
import { Tensor, type AnyTensor } from './core/tensor.js';

/** A call over lists: as many tensors as keys, one for each. */
export interface ListCall {
  readonly keys: readonly Key[];
  readonly values: readonly AnyTensor[];
  readonly outs: readonly AnyTensor[];
}

/** What was made of a call: its groups, which the engine knows again. */
export interface PreparedCall {
  readonly push: Group[];
  readonly pull: Group<AnyTensor>[];
}

interface Remembered extends PreparedCall {
  readonly call: ListCall;
}

/** Calls that are remembered; each keeps its tensors. */
const capacity = 4;

/** Calls worth remembering: below, preparing one costs less than it saves. */
export const fewestKeys = 4;

/**
 * Remembers the calls over lists that a training loop makes again and again with the same tensors, so
 * that nothing of them has to be prepared twice. The first time a call is seen nothing is kept of it,
 * so that tensors which are used once can be collected.
 */
export class RecentCalls {
  /** The one used last first. */
  readonly #calls: Remembered[] = [];
  #seen: readonly WeakRef<AnyTensor>[] = [];

  /** What was made of the very same call; undefined where it is not remembered. */
  find(call: ListCall): PreparedCall | undefined {
    const at = this.#calls.findIndex((each) => isSame(each.call, call));
    if (at < 0) return undefined;
    const found = this.#calls[at]!;
    if (at > 0) {
      this.#calls.splice(at, 1);
      this.#calls.unshift(found);
    }
    return found;
  }

  /** Remembers a call that looks like the one before. */
  add({ keys, values, outs }: ListCall, prepared: PreparedCall): void {
    if (keys.length < fewestKeys) return;
    const marks = [values[0]!, values.at(-1)!, outs[0]!, outs.at(-1)!];
    const isRepeated =
      this.#seen.length > 0 && this.#seen.every((mark, i) => mark.deref() === marks[i]);
    if (!isRepeated) {
      this.#seen = marks.map((mark) => new WeakRef(mark));
      return;
    }
    this.#seen = [];
    this.#calls.unshift({
      call: { keys: [...keys], values: [...values], outs: [...outs] },
      ...prepared,
    });
    if (this.#calls.length > capacity) this.#calls.pop();
  }

  /** Forgets everything, so that the tensors can be collected. */
  clear(): void {
    this.#calls.length = 0;
    this.#seen = [];
  }
}

/** The arguments of a call as lists, if they are lists of as many tensors as keys. */
export function asListCall(keys: unknown, values: unknown, outs: unknown): ListCall | undefined {
  if (!Array.isArray(keys) || !Array.isArray(values) || !Array.isArray(outs)) return undefined;
  if (values.length !== keys.length || outs.length !== keys.length) return undefined;
  return { keys: keys as Key[], values: values as AnyTensor[], outs: outs as AnyTensor[] };
}

/** Whether each key has one tensor, not a list of them, a view or a row-sparse one. */
export function isPlain({ values, outs }: ListCall): boolean {
  const isTensor = (each: unknown): boolean =>
    each instanceof Tensor && !(each instanceof TensorView);
  return [...values, ...outs].every(isTensor);
}

function isSame(a: ListCall, b: ListCall): boolean {
  const { length } = a.keys;
  if (b.keys.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (a.values[i] !== b.values[i] || a.outs[i] !== b.outs[i] || a.keys[i] !== b.keys[i])
      return false;
  }
  return true;
}
