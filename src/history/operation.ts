/** What a call asked of one key. */
export type OperationKind = 'push' | 'pull';

/** How it ended. `unknown`: never, or in a list that was refused for another key; it may be applied. */
export type Outcome = 'done' | 'refused' | 'unknown';

/** One key of one call, from call to return. */
export interface Operation {
  readonly device: number;
  readonly kind: OperationKind;
  readonly key: number;
  /** Nanoseconds since the history began, on the clock that all threads share. */
  readonly callNs: number;
  /** As `callNs`; infinity where the outcome is unknown. */
  readonly endNs: number;
  readonly outcome: Outcome;
  /** Of a push: which of its device to this key it is, from 1. Of a pull: how many came before. */
  readonly number: number;
  /** The version a pull says that it gave; undefined: it does not say. */
  readonly version: number | undefined;
  /** The elements that a pull gave, up to where they repeat. */
  readonly seen: Float32Array;
  /** Whether a pull's elements did not repeat as every version's do. */
  readonly isTorn: boolean;
}

/** A rule that a history broke, with the operations that show it. */
export interface Violation {
  /** The rule in a few words. */
  readonly rule: string;
  readonly key: number;
  /** What was expected and what came. */
  readonly message: string;
  readonly witness: readonly Operation[];
}

/** Operations of each key, in the order given. */
export function byKey(history: readonly Operation[]): Map<number, Operation[]> {
  const keys = new Map<number, Operation[]>();
  for (const operation of history) {
    const those = keys.get(operation.key);
    if (those === undefined) keys.set(operation.key, [operation]);
    else those.push(operation);
  }
  return keys;
}
