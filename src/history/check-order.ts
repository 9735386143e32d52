import type { Lanes } from './check-sums.js';
import type { Operation, Violation } from './operation.js';

/**
 * Calls of a device on a key take effect in the order of issue, however they end: a pull sees all of
 * its device's own pushes before it and none after, and is not behind the pull before.
 */
export function checkOwnOrder(history: readonly Operation[], lanes: Lanes): Violation | undefined {
  const own = lanes.ofDevice.map(() => ({ done: 0, unknown: 0 }));
  const lastPulls = new Map<number, Operation>();
  for (const operation of history) {
    const { device, kind, outcome } = operation;
    const pushed = own[device]!;
    if (kind === 'push') {
      if (outcome === 'done') pushed.done += 1;
      else if (outcome === 'unknown') pushed.unknown += 1;
      continue;
    }
    if (outcome !== 'done') continue;
    const wrong =
      checkOwnPushes(operation, pushed, lanes) ??
      checkBack(operation, lastPulls.get(device), lanes.count);
    if (wrong !== undefined) return wrong;
    lastPulls.set(device, operation);
  }
  return undefined;
}

function checkOwnPushes(
  pull: Operation,
  { done, unknown }: { readonly done: number; readonly unknown: number },
  { ofDevice }: Lanes,
): Violation | undefined {
  for (const lane of new Set(ofDevice[pull.device])) {
    const share = ofDevice[pull.device]!.filter((each) => each === lane).length;
    const isAlone = ofDevice.every(
      (each, device) => device === pull.device || !each.includes(lane),
    );
    const seen = pull.seen[lane]!;
    const most = isAlone ? share * (done + unknown) : Infinity;
    if (seen >= share * done && seen <= most) continue;
    const range = isAlone ? `${share * done} to ${most}` : `at least ${share * done}`;
    return {
      rule: 'a device pulls what it pushed before, and nothing that it pushed after',
      key: pull.key,
      message: `expected ${range} pushes in lane ${lane}, got ${seen}`,
      witness: [pull],
    };
  }
  return undefined;
}

function checkBack(
  pull: Operation,
  before: Operation | undefined,
  total: number,
): Violation | undefined {
  if (before === undefined || before.seen[total]! <= pull.seen[total]!) return undefined;
  return {
    rule: 'pulls never go back',
    key: pull.key,
    message: `expected at least version ${before.seen[total]}, got ${pull.seen[total]}`,
    witness: [before, pull],
  };
}

/**
 * The same history with earlier ends: an operation has taken effect when a later one of its device,
 * which had to come behind it, has ended.
 */
export function withEarlierEnds(history: readonly Operation[]): Operation[] {
  const earliest = new Map<number, number>();
  return history
    .toReversed()
    .map((operation) => {
      if (operation.outcome !== 'done') return operation;
      const endNs = Math.min(operation.endNs, earliest.get(operation.device) ?? Infinity);
      earliest.set(operation.device, endNs);
      return endNs === operation.endNs ? operation : { ...operation, endNs };
    })
    .toReversed();
}

/**
 * The same history, where a device that pulls after a push of unknown outcome tells by that whether it
 * was applied. Left open are those of several of which a pull shows some.
 */
export function withOutcomes(history: readonly Operation[], lanes: Lanes): Operation[] {
  const known = [...history];
  const own = lanes.ofDevice.map(() => ({ applied: 0, open: new Array<number>() }));
  for (const [at, { device, kind, outcome, seen, endNs }] of history.entries()) {
    const pushed = own[device]!;
    if (kind === 'push') {
      if (outcome === 'done') pushed.applied += 1;
      else if (outcome === 'unknown') pushed.open.push(at);
      continue;
    }
    const lane = laneAlone(device, lanes);
    if (lane === undefined || outcome !== 'done' || pushed.open.length === 0) continue;
    const more = seen[lane]! - pushed.applied;
    if (more !== 0 && more !== pushed.open.length) continue;
    const was =
      more === 0 ? ({ outcome: 'refused' } as const) : ({ outcome: 'done', endNs } as const);
    for (const push of pushed.open) known[push] = { ...history[push]!, ...was };
    pushed.applied += more;
    pushed.open = [];
  }
  return known;
}

/** The lane that shows the pushes of `device`, where it shows no others and each as one. */
function laneAlone(device: number, { ofDevice }: Lanes): number | undefined {
  const [lane, ...more] = ofDevice[device]!;
  const isAlone = ofDevice.every((each, other) => other === device || !each.includes(lane!));
  return more.length === 0 && isAlone ? lane : undefined;
}
