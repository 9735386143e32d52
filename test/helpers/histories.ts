import type { Lanes } from '../../src/history/check-sums.js';
import { lanesFor } from '../../src/history/check-sums.js';
import type { Operation } from '../../src/history/operation.js';
import type { Random } from './random.js';

/** An operation in short: device, what, call, return, and what a pull gave. */
export type Short = readonly [
  device: number,
  kind: Operation['kind'],
  callNs: number,
  endNs: number,
  seen?: readonly number[],
];

/** A history of key 0, each device's operations in its order. Without an end, the outcome is unknown. */
export function historyOf(...operations: readonly Short[]): Operation[] {
  const pushes = new Map<number, number>();
  return operations.map(([device, kind, callNs, endNs, seen = []]) => {
    const number = (pushes.get(device) ?? 0) + (kind === 'push' ? 1 : 0);
    pushes.set(device, number);
    return {
      device,
      kind,
      key: 0,
      callNs,
      endNs,
      outcome: endNs === Infinity ? 'unknown' : 'done',
      number,
      version: undefined,
      seen: Float32Array.from(seen),
      isTorn: false,
    };
  });
}

/** A lane for each of `devices` devices. */
export function ownLanes(devices: number): Lanes {
  return lanesFor(devices, devices + 1);
}

/** The history with something in it changed at random: what a pull gave, or when something was. */
export function mutated(random: Random, history: readonly Operation[]): Operation[] {
  const changed = [...history];
  const at = random.integer(history.length);
  const victim = history[at]!;
  if (victim.kind === 'pull' && random.chance(0.7)) {
    const seen = victim.seen.slice();
    const lane = random.integer(Math.max(1, seen.length - 1));
    const by = random.chance(0.5) ? 1 : -1;
    if (seen.length > 0) {
      seen[lane]! += by;
      seen[seen.length - 1]! += by;
    }
    changed[at] = { ...victim, seen };
  } else if (victim.endNs !== Infinity) {
    // Called at another time, but still in its place among those of its device.
    const own = history.filter(({ device }) => device === victim.device);
    const place = own.indexOf(victim);
    const from = own[place - 1]?.callNs ?? 0;
    const to = own[place + 1]?.callNs ?? victim.callNs + 20;
    const callNs = from + random.integer(to - from + 1);
    changed[at] = { ...victim, callNs, endNs: callNs + random.integer(20) };
  }
  return changed;
}
