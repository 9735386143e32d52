import type { Operation } from './operation.js';

/** What a store does to one key, as a sequential program. States are never changed in place. */
export interface Model<State> {
  readonly initial: State;
  push(state: State, push: Operation): State;
  /** Whether a pull of this state gives what `pull` gave. */
  allows(state: State, pull: Operation): boolean;
  /** Equal for equal states. */
  name(state: State): string;
}

/** What a search found; `unknown`: it gave up at its limit. */
export interface Verdict {
  readonly isLinearizable: boolean | 'unknown';
  /** Configurations looked at. */
  readonly visited: number;
  /** Where it is not: the operations that nothing could go on with, one a device. */
  readonly stuck: readonly Operation[];
}

/** How far a search may go; more is given up. */
const defaultLimit = 2_000_000;

/** One device's operations, and the earliest end among the i-th and later ones. */
interface Line {
  readonly operations: readonly Operation[];
  readonly earliestEnd: Float64Array;
}

interface Configuration<State> {
  /** How many operations of each line have taken effect, or never will. */
  readonly at: Int32Array;
  readonly state: State;
}

/**
 * Searches for an order in which the operations on one key could have taken effect one after the other,
 * each between its call and its return and those of a device in their order (after Wing, Gong and
 * Lowe). Exact for any model, and exponential in the worst case.
 */
export function search<State>(
  history: readonly Operation[],
  model: Model<State>,
  limit = defaultLimit,
): Verdict {
  const lines = linesOf(history);
  const first = { at: new Int32Array(lines.length), state: model.initial };
  const stack: Configuration<State>[] = [first];
  const seen = new Set<string>();
  let furthest: Configuration<State> = first;
  while (stack.length > 0) {
    const configuration = stack.pop()!;
    takePulls(configuration, lines, model);
    const name = `${configuration.at.join(' ')}/${model.name(configuration.state)}`;
    if (seen.has(name)) continue;
    if (seen.size >= limit) return { isLinearizable: 'unknown', visited: seen.size, stuck: [] };
    seen.add(name);
    if (isDone(configuration, lines)) {
      return { isLinearizable: true, visited: seen.size, stuck: [] };
    }
    if (progress(configuration) >= progress(furthest)) furthest = configuration;
    stack.push(...successors(configuration, lines, model));
  }
  const stuck = lines.flatMap(({ operations }, i) => operations[furthest.at[i]!] ?? []);
  return { isLinearizable: false, visited: seen.size, stuck };
}

function linesOf(history: readonly Operation[]): Line[] {
  const devices = new Map<number, Operation[]>();
  for (const operation of history) {
    const { kind, outcome, device } = operation;
    // A pull that did not end says nothing, and a push that was refused did nothing.
    if (outcome === 'refused' || (kind === 'pull' && outcome === 'unknown')) continue;
    const line = devices.get(device);
    if (line === undefined) devices.set(device, [operation]);
    else line.push(operation);
  }
  return [...devices.values()].map((operations) => {
    const earliestEnd = new Float64Array(operations.length + 1).fill(Infinity);
    for (let i = operations.length - 1; i >= 0; i--) {
      earliestEnd[i] = Math.min(earliestEnd[i + 1]!, operations[i]!.endNs);
    }
    return { operations, earliestEnd };
  });
}

/** The next operation of a line, if nothing that is left had ended before it was called. */
function candidate(at: Int32Array, lines: readonly Line[], line: number): Operation | undefined {
  const operation = lines[line]!.operations[at[line]!];
  if (operation === undefined) return undefined;
  const mayBeNext = lines.every(({ earliestEnd }, i) => operation.callNs <= earliestEnd[at[i]!]!);
  return mayBeNext ? operation : undefined;
}

/** Pulls that may come now and fit: nothing is lost by taking them at once. */
function takePulls<State>(
  { at, state }: Configuration<State>,
  lines: readonly Line[],
  model: Model<State>,
): void {
  for (let line = 0; line < lines.length; line++) {
    const next = candidate(at, lines, line);
    if (next?.kind !== 'pull' || !model.allows(state, next)) continue;
    at[line]! += 1;
    line = -1; // Others may have been waiting for it.
  }
}

function successors<State>(
  { at, state }: Configuration<State>,
  lines: readonly Line[],
  model: Model<State>,
): Configuration<State>[] {
  const found: { readonly endNs: number; readonly next: Configuration<State> }[] = [];
  for (const [line, { operations }] of lines.entries()) {
    const push = operations[at[line]!];
    if (push?.kind !== 'push') continue;
    const after = at.slice();
    after[line]! += 1;
    if (push.outcome === 'unknown') {
      found.push({ endNs: Infinity, next: { at: after.slice(), state } });
    }
    if (candidate(at, lines, line) === undefined) continue;
    found.push({ endNs: push.endNs, next: { at: after, state: model.push(state, push) } });
  }
  // The stack's top goes first: whoever ended first probably took effect first.
  return found.toSorted((a, b) => b.endNs - a.endNs).map(({ next }) => next);
}

/** Whether all that is left may never have taken effect. */
function isDone<State>({ at }: Configuration<State>, lines: readonly Line[]): boolean {
  return lines.every(({ earliestEnd }, i) => earliestEnd[at[i]!] === Infinity);
}

function progress<State>({ at }: Configuration<State>): number {
  let sum = 0;
  for (const count of at) sum += count;
  return sum;
}
