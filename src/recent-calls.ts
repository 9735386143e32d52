import type { Group, Key } from './core/keys.js';
import { TensorView } from './core/tensor-view.js';
import { Tensor, type AnyTensor } from './core/tensor.js';

/** What a call gives for a key. */
type OneOrMore = AnyTensor | readonly AnyTensor[];

/** A call over lists: for each key a tensor, or a list of them. */
export interface ListCall {
  readonly keys: readonly Key[];
  readonly values: readonly OneOrMore[];
  readonly outs: readonly OneOrMore[];
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
    const marks = [values[0]!, values.at(-1)!, outs[0]!, outs.at(-1)!].map(firstOf);
    const isRepeated =
      this.#seen.length > 0 && this.#seen.every((mark, i) => mark.deref() === marks[i]);
    if (!isRepeated) {
      this.#seen = marks.map((mark) => new WeakRef(mark));
      return;
    }
    this.#seen = [];
    this.#calls.unshift({
      call: { keys: [...keys], values: values.map(copied), outs: outs.map(copied) },
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

/** The arguments of a call as lists, if they are as long as that of the keys. */
export function asListCall(keys: unknown, values: unknown, outs: unknown): ListCall | undefined {
  if (!Array.isArray(keys) || !Array.isArray(values) || !Array.isArray(outs)) return undefined;
  if (values.length !== keys.length || outs.length !== keys.length) return undefined;
  return { keys: keys as Key[], values: values as OneOrMore[], outs: outs as OneOrMore[] };
}

/** Whether each key has tensors, no view and no row-sparse one. */
export function isPlain({ values, outs }: ListCall): boolean {
  const isTensor = (each: unknown): boolean =>
    each instanceof Tensor && !(each instanceof TensorView);
  return [values, outs].every((list) =>
    list.every((each) => (isList(each) ? each.every(isTensor) : isTensor(each))),
  );
}

function isSame(a: ListCall, b: ListCall): boolean {
  const { length } = a.keys;
  if (b.keys.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (a.keys[i] !== b.keys[i]) return false;
    if (!isSameFor(a.values[i]!, b.values[i]!) || !isSameFor(a.outs[i]!, b.outs[i]!)) return false;
  }
  return true;
}

function isSameFor(a: OneOrMore, b: OneOrMore): boolean {
  if (!isList(a) || !isList(b)) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function isList(each: OneOrMore): each is readonly AnyTensor[] {
  return Array.isArray(each);
}

function firstOf(each: OneOrMore): AnyTensor {
  return isList(each) ? each[0]! : each;
}

/** A list of its own: its owner may change the other one. */
function copied(each: OneOrMore): OneOrMore {
  return isList(each) ? [...each] : each;
}
