import type { Operation } from './operation.js';

/** How to make a history of one key that fails shorter. */
export interface Shrinking {
  /** Whether a history is wrong. Each that begins as a wrong one does and goes on is wrong too. */
  fails(history: readonly Operation[]): boolean;
  /** Whether `pull` shows `push`. Pushes that no pull shows are left out where that is so. */
  shows?(pull: Operation, push: Operation): boolean;
}

/**
 * A short part of a wrong history that is wrong by itself: its shortest beginning, without the pulls,
 * and pushes that nobody saw, that it does not take.
 */
export function shrink(history: readonly Operation[], shrinking: Shrinking): readonly Operation[] {
  const { fails, shows } = shrinking;
  const short = shortestBeginning(history, fails);
  const fewer = withoutSome(short, fails, ({ kind }) => kind === 'pull');
  if (shows === undefined) return fewer;
  const pulls = fewer.filter(({ kind }) => kind === 'pull');
  const isHidden = (each: Operation): boolean =>
    each.kind === 'push' && !pulls.some((pull) => shows(pull, each));
  return withoutSome(fewer, fails, isHidden);
}

/** The history as it was when `endNs` had come: what had not ended may or may not have happened. */
function beginning(history: readonly Operation[], endNs: number): Operation[] {
  return history
    .filter((each) => each.callNs <= endNs && (each.kind === 'push' || each.endNs <= endNs))
    .map((each) =>
      each.endNs <= endNs ? each : { ...each, endNs: Infinity, outcome: 'unknown' as const },
    );
}

function shortestBeginning(
  history: readonly Operation[],
  fails: Shrinking['fails'],
): readonly Operation[] {
  const ends = Float64Array.from(history, ({ endNs }) => endNs)
    .filter(Number.isFinite)
    .sort();
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fails(beginning(history, ends[middle]!))) high = middle;
    else low = middle + 1;
  }
  const short = beginning(history, ends[high] ?? Infinity);
  return fails(short) ? short : history;
}

/** Leaves out what `mayGo` and is not needed, in ever smaller pieces. */
function withoutSome(
  history: readonly Operation[],
  fails: Shrinking['fails'],
  mayGo: (operation: Operation) => boolean,
): readonly Operation[] {
  let left = history;
  for (let size = history.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < left.length;) {
      const rest = left.filter((each, i) => i < from || i >= from + size || !mayGo(each));
      if (rest.length < left.length && fails(rest)) left = rest;
      else from += size;
    }
  }
  return left;
}
