import type { Scenario, StressType } from './scenario.js';

type Unseeded = Omit<Scenario, 'seed'>;

/** A ready list of runs, and how long to repeat it; 0: once. */
interface Profile {
  readonly scenarios: readonly Unseeded[];
  readonly minutes: number;
}

const types: readonly StressType[] = [
  'local',
  'device',
  'dist_sync',
  'dist_async',
  'dist_ssp',
  'dist_device_sync',
];
const groups = types.filter((type) => type.startsWith('dist'));
const calm = { rule: 'sum', faults: [], onDeath: 'continue' } as const;

/** Every type, 2, 4 and 8 devices; `operations` of all devices of a run together. */
function crossed(bytes: number, operations: number, keyCounts = [1, 8]): Unseeded[] {
  return types.flatMap((type) =>
    [2, 4, 8].flatMap((devices) =>
      keyCounts.map((keys) => {
        const threads = type.startsWith('dist') ? devices : 1;
        return { ...calm, type, devices, keys, bytes, ops: Math.ceil(operations / threads) };
      }),
    ),
  );
}

/** Runs of groups in which devices end: all but one, or one that ends the rounds. */
function deadly(type: StressType, runs: number, onDeath: Scenario['onDeath']): Unseeded[] {
  const devices = onDeath === 'continue' ? 8 : 2;
  return Array.from({ length: runs }, (_, i) => ({
    ...{ type, devices, onDeath, rule: 'sum', ops: 800 },
    keys: i % 2 === 0 ? 1 : 8,
    bytes: i % 4 === 3 ? 65_536 : 64,
    faults: i % 3 === 2 ? (['kill', 'throw'] as const) : (['kill'] as const),
  }));
}

function mixed(type: StressType): Unseeded[] {
  const common = { ...calm, type, devices: 3, keys: 4, ops: 2000 };
  return [
    { ...common, rule: 'assign', bytes: 64 },
    { ...common, rule: 'log', bytes: 64 },
    { ...common, faults: ['stall'], bytes: 1024 },
  ];
}

const mebibyte = 2 ** 20;
const ci: readonly Unseeded[] = [
  ...crossed(16, 142_000),
  ...crossed(4096, 8000, [8]),
  ...crossed(65_536, 1600, [1]),
  ...groups.map((type) => ({ ...calm, type, devices: 2, keys: 8, bytes: mebibyte, ops: 160 })),
  ...types.map((type) => ({ ...calm, type, devices: 4, keys: 1, bytes: 4 * mebibyte, ops: 40 })),
  ...types.flatMap(mixed),
  ...groups.flatMap((type) => deadly(type, 18, 'continue')),
  ...groups.flatMap((type) => deadly(type, 8, 'abort')),
];

const soak: readonly Unseeded[] = [
  ...crossed(16, 100_000),
  ...crossed(16_384, 10_000),
  ...crossed(mebibyte, 160),
  ...types.map((type) => ({ ...calm, type, devices: 8, keys: 8, bytes: 4 * mebibyte, ops: 80 })),
  ...types.flatMap(mixed),
  ...groups.flatMap((type) => deadly(type, 20, 'continue')),
  ...groups.flatMap((type) => deadly(type, 10, 'abort')),
];

/** What `--profile` knows. */
export const profiles = {
  ci: { scenarios: ci, minutes: 0 },
  soak: { scenarios: soak, minutes: 80 },
} as const satisfies Readonly<Record<string, Profile>>;
export type ProfileName = keyof typeof profiles;
