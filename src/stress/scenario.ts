import type { Lanes } from '../history/check-sums.js';
import { lanesFor } from '../history/check-sums.js';
import { Random } from './random.js';

interface StressedType {
  /** Whether each device runs a program, instead of one caller pushing for all. */
  readonly isGroup: boolean;
  /** When pushes take effect: in rounds of all devices, each at once, or with a bound between them. */
  readonly order: 'rounds' | 'free' | 'bounded';
}

/** Store types that can be put under stress. */
export const stressTypes = {
  local: { isGroup: false, order: 'rounds' },
  device: { isGroup: false, order: 'rounds' },
  dist_sync: { isGroup: true, order: 'rounds' },
  dist_async: { isGroup: true, order: 'free' },
  dist_ssp: { isGroup: true, order: 'bounded' },
  dist_device_sync: { isGroup: true, order: 'rounds' },
} as const satisfies Readonly<Record<string, StressedType>>;

export type StressType = keyof typeof stressTypes;

/**
 * What the store does with pushes. `sum`: adds them, so that a pull is a version vector; `assign`: is
 * replaced by them; `log`: an updater whose result depends on their order, and which keeps a log.
 */
export const stressRules = ['sum', 'assign', 'log'] as const;
export type StressRule = (typeof stressRules)[number];

/**
 * What befalls devices. `kill`: the thread is terminated; `throw`: an uncaught exception; `stall`: it
 * stops answering for a while, in some runs for longer than calls may wait, and dies of it if others do.
 */
export const stressFaults = ['kill', 'throw', 'stall'] as const;
export type StressFault = (typeof stressFaults)[number];

/** One run: a store, devices that use it, and what befalls them. The same seed makes the same calls. */
export interface Scenario {
  readonly type: StressType;
  readonly devices: number;
  readonly keys: number;
  /** Of each value. */
  readonly bytes: number;
  /** About how many operations each device makes: a key pushed or pulled is one. */
  readonly ops: number;
  readonly rule: StressRule;
  readonly faults: readonly StressFault[];
  readonly onDeath: 'abort' | 'continue';
  readonly seed: number;
}

/** What befalls one device, and when: at its i-th round. */
export interface PlannedFault {
  readonly kind: StressFault;
  readonly round: number;
  /** Of a stall. */
  readonly stallMs: number;
}

/** How long calls may wait where stalls are to outlast it, and where not. */
const shortTimeoutMs = 2500;
const longTimeoutMs = 60_000;
const longestStallMs = 30;

/** What follows from a scenario. */
export interface Plan {
  /** Elements of a value; they repeat after `width`. */
  readonly elements: number;
  readonly width: number;
  readonly lanes: Lanes;
  /** Threads that run a program. */
  readonly threads: number;
  /** Rounds of pushes to all keys that each program makes. */
  readonly rounds: number;
  readonly timeoutMs: number;
  /** Whether stalls outlast that. */
  readonly outlasts: boolean;
  /** Of a `dist_ssp` store. */
  readonly staleness: number;
  /** By device. */
  readonly faults: readonly (PlannedFault | undefined)[];
}

/** Elements of a row of the `log` rule. */
const logWidth = 4;

/** Operations of a round on one key: a push, and pulls, one of them always. */
const opsPerKeyAndRound = 2;

/** Works out a scenario. */
export function planOf(scenario: Scenario): Plan {
  const { type, devices, keys, rule, ops } = scenario;
  const random = new Random(scenario.seed);
  const { isGroup, order } = stressTypes[type];
  const mayDie = isGroup && (rule === 'sum' || order !== 'rounds');
  const least = rule === 'sum' ? 2 : devices + 1;
  const elements = Math.max(least, logWidth, Math.floor(scenario.bytes / 4));
  const lanes = lanesFor(devices, Math.min(devices + 1, elements), !isGroup);
  const rounds = Math.max(1, Math.round(ops / keys / opsPerKeyAndRound));
  const threads = isGroup ? devices : 1;
  const outlasts = scenario.faults.includes('stall') && random.chance(0.3) && mayDie;
  const faults = planFaults(scenario, { threads, rounds, outlasts }, random);
  return {
    elements,
    width: rule === 'log' ? logWidth : lanes.count + 1,
    lanes,
    threads,
    rounds,
    timeoutMs: outlasts ? shortTimeoutMs : longTimeoutMs,
    outlasts,
    staleness: random.integer(4),
    faults,
  };
}

function planFaults(
  { faults, onDeath, rule }: Scenario,
  { threads, rounds, outlasts }: { threads: number; rounds: number; outlasts: boolean },
  random: Random,
): (PlannedFault | undefined)[] {
  const planned = new Array<PlannedFault | undefined>(threads).fill(undefined);
  if (faults.length === 0) return planned;
  // Rank 0 runs the updater functions of `assign` and `log`.
  const ranks = Array.from({ length: threads }, (_, rank) => rank).slice(rule === 'sum' ? 0 : 1);
  const order = random.shuffled(ranks);
  const survivors = threads === ranks.length && threads > 1 ? 1 : 0;
  let hasDeath = false;
  for (const rank of order.slice(survivors)) {
    const kind = random.pick(faults);
    if (kind !== 'stall' && onDeath === 'abort' && hasDeath) continue; // The first ends the rounds.
    hasDeath ||= kind !== 'stall';
    const round = 1 + Math.floor(0.8 * random.next() * (rounds - 1));
    const stallMs = outlasts ? 1.3 * shortTimeoutMs : 1 + random.integer(longestStallMs);
    planned[rank] = { kind, round, stallMs };
  }
  return planned;
}

/** Whether a device may die of `fault`. */
export function isFatal(fault: PlannedFault | undefined, { outlasts }: Plan): boolean {
  return fault !== undefined && (fault.kind !== 'stall' || outlasts);
}

/** Why a scenario cannot be, or undefined. */
export function scenarioProblem({ type, rule, faults, devices }: Scenario): string | undefined {
  const kills = faults.some((fault) => fault !== 'stall');
  if (rule !== 'sum' && kills && stressTypes[type].order === 'rounds') {
    return `rule ${rule} on ${type} expected no deaths: only sums show who was in a round`;
  }
  if (devices > 64) return `expected up to 64 devices, got ${devices}`;
  return undefined;
}
