import { showVector, type Lanes } from './check-sums.js';
import type { Operation, Violation } from './operation.js';

/** Pushes of a device that count for sure, and those that may beside them. */
interface Pushed {
  readonly done: number;
  readonly unknown: number;
}

/**
 * Whether the operations on one key keep to rounds: round r takes the r-th push of every device that is
 * there, by identity, and after its push of a round a device pulls just what that round made. So after
 * r pushes it sees r of every device, or all that one pushed before it ended.
 */
export function checkRounds(history: readonly Operation[], lanes: Lanes): Violation | undefined {
  const members = membersOf(lanes);
  const pushed = lanes.ofDevice.map((_, device) => countPushes(history, device));
  const rounds = Math.max(...pushed.map(({ done }) => done));
  const limits: RoundLimits = { members, pushed, rounds };
  const soFar = lanes.ofDevice.map(() => ({ done: 0, unknown: 0 }));
  const frozen = new Map<number, number>();
  for (const operation of history) {
    const own = soFar[operation.device]!;
    if (operation.kind === 'push') {
      if (operation.outcome === 'done') own.done += 1;
      else if (operation.outcome === 'unknown') own.unknown += 1;
      continue;
    }
    if (operation.outcome !== 'done') continue;
    const round = roundOf(operation, own, limits);
    if (round === undefined) return wrongRound(operation, own, history);
    const violation = checkFrozen(operation, round, { ...limits, frozen });
    if (violation !== undefined) return violation;
  }
  return undefined;
}

interface RoundLimits {
  /** The devices of each lane; one that pushes several values to it stands there as often. */
  readonly members: readonly (readonly number[])[];
  readonly pushed: readonly Pushed[];
  /** Rounds that some device took part in to the end. */
  readonly rounds: number;
}

function membersOf({ count, ofDevice }: Lanes): number[][] {
  const members = Array.from({ length: count }, (): number[] => []);
  for (const [device, lanes] of ofDevice.entries()) {
    for (const lane of lanes) members[lane]!.push(device);
  }
  return members;
}

function countPushes(history: readonly Operation[], device: number): Pushed {
  const pushes = history.filter((each) => each.kind === 'push' && each.device === device);
  const count = (outcome: string): number =>
    pushes.filter((each) => each.outcome === outcome).length;
  return { done: count('done'), unknown: count('unknown') };
}

/** The round whose result a pull shows, among those that its device may be at. */
function roundOf({ seen }: Operation, own: Pushed, limits: RoundLimits): number | undefined {
  for (let round = own.done; round <= own.done + own.unknown; round++) {
    const fits = limits.members.every((devices, lane) => {
      let least = 0;
      let most = 0;
      for (const device of devices) {
        const { done, unknown } = limits.pushed[device]!;
        least += Math.min(round, done);
        // One that pushed less than others had ended, or had pushes refused.
        most += done < limits.rounds ? Math.min(round, done + unknown) : round;
      }
      return least <= seen[lane]! && seen[lane]! <= most;
    });
    if (fits) return round;
  }
  return undefined;
}

/** A device that has ended adds nothing any more: its lane stays. */
function checkFrozen(
  pull: Operation,
  round: number,
  { members, frozen }: RoundLimits & { readonly frozen: Map<number, number> },
): Violation | undefined {
  for (const [lane, devices] of members.entries()) {
    if (devices.length !== 1) continue;
    const seen = pull.seen[lane]!;
    if (seen >= round && seen <= (frozen.get(lane) ?? seen)) continue;
    const last = frozen.get(lane) ?? seen;
    frozen.set(lane, last);
    if (seen === last) continue;
    return {
      rule: 'a device that has ended adds nothing',
      key: pull.key,
      message: `expected ${last} pushes in lane ${lane} after round ${round}, got ${seen}`,
      witness: [pull],
    };
  }
  return undefined;
}

function wrongRound(pull: Operation, own: Pushed, history: readonly Operation[]): Violation {
  const last = history.filter(
    ({ kind, device, callNs }) =>
      kind === 'push' && device === pull.device && callNs <= pull.callNs,
  );
  const most = own.done + own.unknown;
  const rounds = own.unknown === 0 ? `${own.done}` : `${own.done} to ${most}`;
  return {
    rule: 'a round takes one push of each device, and is what they pull then',
    key: pull.key,
    message: `expected the result of round ${rounds}, got ${showVector(pull)}`,
    witness: [...last.slice(-1), pull],
  };
}
