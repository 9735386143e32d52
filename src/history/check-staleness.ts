import { showVector, type Lanes } from './check-sums.js';
import type { Operation, Violation } from './operation.js';

/**
 * Whether the operations on one key keep to a bound: no device's pushes get more than `staleness` ahead of
 * those of the slowest, and a pull behind its device's c-th push misses at most the last `staleness` of
 * c pushes of anybody. Devices that pushed less than others in the end had gone, and hold nobody up.
 * Asks nothing where devices share a lane.
 */
export function checkStaleness(
  history: readonly Operation[],
  lanes: Lanes,
  staleness: number,
): Violation | undefined {
  if (lanes.count < lanes.ofDevice.length) return undefined;
  const pushed = lanes.ofDevice.map(() => 0);
  for (const { kind, outcome, device } of history) {
    if (kind === 'push' && outcome === 'done') pushed[device]! += 1;
  }
  const stayed = pushed.flatMap((count, device) =>
    count === Math.max(...pushed) ? lanes.ofDevice[device]! : [],
  );
  const own = lanes.ofDevice.map(() => 0);
  for (const operation of history) {
    const { kind, outcome, device, seen } = operation;
    if (outcome !== 'done') continue;
    if (kind === 'push') {
      own[device]! += 1;
      continue;
    }
    const slowest = Math.min(...stayed.map((lane) => seen[lane]!));
    const fastest = Math.max(...seen.subarray(0, lanes.count));
    if (fastest - slowest <= staleness && slowest >= own[device]! - staleness) continue;
    return {
      rule: 'nobody gets too far ahead',
      key: operation.key,
      message:
        `expected pushes at most ${staleness} apart, and ${own[device]! - staleness} of each, ` +
        `got ${showVector(operation)}`,
      witness: [operation],
    };
  }
  return undefined;
}
