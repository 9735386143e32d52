import { checkOwnOrder, withEarlierEnds, withOutcomes } from './check-order.js';
import type { Operation, Violation } from './operation.js';

/**
 * Which lanes of a tensor show whose pushes: a push of device `d` adds one to each of `ofDevice[d]`
 * (twice where a lane stands there twice) and as much to the last element, the total. So a pull shows
 * how many pushes of each lane are in it: a version vector.
 */
export interface Lanes {
  readonly count: number;
  readonly ofDevice: readonly (readonly number[])[];
}

/**
 * Lanes for `devices` devices in `width` elements, the total among them: one a device where there is
 * room, else shared by several. Where `together`, device 0 alone pushes the values of all.
 */
export function lanesFor(devices: number, width: number, together = false): Lanes {
  const count = Math.min(devices, width - 1);
  const own = Array.from({ length: devices }, (_, device) => device % count);
  return { count, ofDevice: together ? [own] : own.map((lane) => [lane]) };
}

/** Times of the pushes of one lane, ascending. */
interface LaneTimes {
  readonly calls: Float64Array;
  readonly ends: Float64Array;
  readonly pushes: readonly Operation[];
}

/**
 * Whether the operations on one key of a store that adds could have taken effect one after the other,
 * each between its call and its return, and those of a device in the order of issue. Exact where no two
 * devices share a lane, in n log n time; where they do, what it finds is wrong all the same. Pushes that were refused must not be seen.
 */
export function checkSums(issued: readonly Operation[], lanes: Lanes): Violation | undefined {
  const history = withEarlierEnds(withOutcomes(issued, lanes));
  const pulls = history.filter(({ kind, outcome }) => kind === 'pull' && outcome === 'done');
  const times = Array.from({ length: lanes.count }, (_, lane) => timesOf(history, lane, lanes));
  for (const pull of pulls) {
    const violation =
      checkTorn(pull, lanes.count) ?? checkBounds(pull, times) ?? checkOrder(pull, times);
    if (violation !== undefined) return violation;
  }
  return (
    checkChain(pulls, lanes.count) ??
    checkRealTime(pulls, lanes.count) ??
    checkOwnOrder(history, lanes)
  );
}

function timesOf(history: readonly Operation[], lane: number, { ofDevice }: Lanes): LaneTimes {
  const pushes = history
    .filter(({ kind, outcome }) => kind === 'push' && outcome !== 'refused')
    .flatMap((push) => ofDevice[push.device]!.filter((each) => each === lane).map(() => push))
    .toSorted((a, b) => a.callNs - b.callNs);
  return {
    pushes,
    calls: Float64Array.from(pushes, ({ callNs }) => callNs),
    ends: Float64Array.from(pushes, ({ endNs }) => endNs).sort(),
  };
}

/** How many of ascending `times` are below `limit`, or with `andAt` at most that. */
function countBelow(times: Float64Array, limit: number, andAt = false): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < limit || (andAt && times[middle] === limit)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A pull's elements belong together. */
function checkTorn(pull: Operation, lanes: number): Violation | undefined {
  const total = pull.seen[lanes]!;
  let sum = 0;
  let areCounts = true;
  for (let lane = 0; lane < lanes; lane++) {
    const seen = pull.seen[lane]!;
    sum += seen;
    areCounts &&= Number.isInteger(seen) && seen >= 0;
  }
  if (!pull.isTorn && areCounts && sum === total) return undefined;
  const why = pull.isTorn ? 'elements of more than one version' : `lanes that add up to ${sum}`;
  return {
    rule: 'a pull gives one version',
    key: pull.key,
    message: `expected one version, got ${why} with a total of ${total}`,
    witness: [pull],
  };
}

/** What was acknowledged before the call is in it, and nothing that was called after the return. */
function checkBounds(pull: Operation, times: readonly LaneTimes[]): Violation | undefined {
  for (const [lane, { calls, ends, pushes }] of times.entries()) {
    const seen = pull.seen[lane]!;
    const least = countBelow(ends, pull.callNs);
    if (seen < least) {
      const acknowledged = pushes.filter(({ endNs }) => endNs < pull.callNs);
      return {
        rule: 'a pull sees every push that was acknowledged before',
        key: pull.key,
        message: `expected at least ${least} pushes in lane ${lane}, got ${seen}`,
        witness: [...acknowledged.slice(-1), pull],
      };
    }
    const most = countBelow(calls, pull.endNs, true);
    if (seen > most) {
      return {
        rule: 'a pull sees a push once, and only after its call',
        key: pull.key,
        message: `expected at most ${most} pushes in lane ${lane}, got ${seen}`,
        witness: [...pushes.slice(0, most).slice(-1), pull],
      };
    }
  }
  return undefined;
}

/** With a push, a pull sees every one that had ended when that one was called. */
function checkOrder(pull: Operation, times: readonly LaneTimes[]): Violation | undefined {
  let latest: Operation | undefined;
  for (const [lane, { pushes }] of times.entries()) {
    const last = pushes[pull.seen[lane]! - 1];
    if (last !== undefined && last.callNs > (latest?.callNs ?? -1)) latest = last;
  }
  if (latest === undefined) return undefined;
  for (const [lane, { ends, pushes }] of times.entries()) {
    const least = countBelow(ends, latest.callNs);
    if (pull.seen[lane]! >= least) continue;
    const before = pushes.filter(({ endNs }) => endNs < latest.callNs).slice(-1);
    return {
      rule: 'pushes take effect in the order of time',
      key: pull.key,
      message: `expected at least ${least} pushes in lane ${lane}, got ${pull.seen[lane]}: a later push is there`,
      witness: [...before, latest, pull],
    };
  }
  return undefined;
}

/** Of two versions one holds the other. */
function checkChain(pulls: readonly Operation[], lanes: number): Violation | undefined {
  const chain = pulls.toSorted((a, b) => a.seen[lanes]! - b.seen[lanes]!);
  for (let i = 1; i < chain.length; i++) {
    const [before, after] = [chain[i - 1]!, chain[i]!];
    for (let lane = 0; lane < lanes; lane++) {
      if (before.seen[lane]! <= after.seen[lane]!) continue;
      return {
        rule: 'all pulls see one order of versions',
        key: after.key,
        message: `expected one version to hold the other, got ${showVector(before)} and ${showVector(after)}`,
        witness: [before, after],
      };
    }
  }
  return undefined;
}

/** A pull does not go back behind one that ended before it began. */
function checkRealTime(pulls: readonly Operation[], lanes: number): Violation | undefined {
  const byEnd = pulls.toSorted((a, b) => a.endNs - b.endNs);
  let newest: Operation | undefined;
  let ended = 0;
  for (const pull of pulls.toSorted((a, b) => a.callNs - b.callNs)) {
    for (; ended < byEnd.length && byEnd[ended]!.endNs < pull.callNs; ended++) {
      if (byEnd[ended]!.seen[lanes]! > (newest?.seen[lanes] ?? -1)) newest = byEnd[ended];
    }
    if (newest === undefined || newest.seen[lanes]! <= pull.seen[lanes]!) continue;
    return {
      rule: 'pulls never go back',
      key: pull.key,
      message: `expected at least version ${newest.seen[lanes]}, got ${pull.seen[lanes]}`,
      witness: [newest, pull],
    };
  }
  return undefined;
}

/** `[1 2]`: the lanes of what a pull gave, the total left out. */
export function showVector({ seen }: Operation): string {
  return `[${seen.subarray(0, -1).join(' ')}]`;
}
