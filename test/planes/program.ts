import fc from 'fast-check';
import { optim, schedule, type DType, type OptimizerSpec } from '../../src/index.js';
import type { Shape } from '../../src/core/shape.js';

/** Random programs of the calls of a store's devices, as plain numbers: small ones are simple ones. */

export interface KeyKind {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Whether the key is stored row-sparse. */
  readonly isSparse?: boolean;
}

const largeLength = 70_000;

/** Keys 0 to 7 exist from the start. */
export const firstKeys = 8;
const sharedKinds: readonly KeyKind[] = [
  { dtype: 'float32', shape: [3] },
  { dtype: 'float32', shape: [3] },
  { dtype: 'float64', shape: [3] },
  { dtype: 'float16', shape: [5] },
  { dtype: 'float32', shape: [6, 2] },
  { dtype: 'float32', shape: [6, 2], isSparse: true },
  { dtype: 'bfloat16', shape: [3] },
  { dtype: 'float32', shape: [] },
  { dtype: 'float32', shape: [3] },
  { dtype: 'float64', shape: [0] },
  { dtype: 'float32', shape: [6, 2], isSparse: true },
  { dtype: 'float16', shape: [6, 2] },
];
/** Kinds of one caller's keys: an optimizer refuses some, which of several devices would be a race. */
const ownKinds: Readonly<Record<number, KeyKind>> = {
  3: { dtype: 'int32', shape: [3] },
  6: { dtype: 'int64', shape: [3] },
  11: { dtype: 'uint8', shape: [5] },
};
const largeKind: KeyKind = { dtype: 'float32', shape: [largeLength] };

/** Numbers of keys that a program can use; the last ones are unknown until it makes them. */
export const keyCount = sharedKinds.length;

export function kindOf(key: number, { devices, isLarge }: Program): KeyKind {
  if (key === 7 && isLarge) return largeKind;
  return (devices === 1 ? ownKinds[key] : undefined) ?? sharedKinds[key]!;
}

/** Whether each push is applied by itself, by what is in force then. */
export function isOneByOne({ type, devices }: Program): boolean {
  return devices > 1 && (type === 'dist_async' || type === 'dist_ssp');
}

/** How rounds change what is stored. */
export type Rule =
  | { readonly kind: 'assign' | 'function' | 'picky' | 'module' }
  | { readonly kind: 'optimizer'; readonly spec: OptimizerSpec };

const optimizers: readonly OptimizerSpec[] = [
  optim.sgd({ lr: 0.1 }),
  optim.sgd({ lr: 0.1, momentum: 0.9, wd: 0.01 }),
  optim.adam({ lr: 0.01 }),
  optim.adamw({ lr: 0.01, wd: 0.1 }),
  optim.nag({ lr: 0.1, momentum: 0.5 }),
  optim.rmsprop({ lr: 0.01, centered: true }),
  optim.lamb({ lr: 0.01 }),
  optim.ftrl({ lr: 0.1 }),
  optim.signum({ lr: 0.1 }),
  optim.lion({ lr: 0.01 }),
  optim.sgld({ lr: 0.01 }),
  optim.adafactor({ lr: 0.01 }),
  optim.schedulefreeadamw({ lr: 0.01 }),
  optim.nadam({ lr: 0.01 }),
  optim.sgd({ lr: 0.1, rescaleGrad: 0.5, clipGradient: 1 }),
  optim.sgd({ schedule: schedule.factor({ step: 1, factor: 0.5, baseLr: 0.5 }) }),
  optim.sgd({ lr: 0.1, clipGlobalNorm: 1 }),
  optim.sgd({ lr: 0.1, ema: 0.5 }),
  optim.sgd({ lr: 0.1, momentum: 0.9, multiPrecision: true }),
];
export const rules: readonly Rule[] = [
  { kind: 'assign' },
  ...optimizers.map((spec) => ({ kind: 'optimizer', spec }) as const),
  { kind: 'function' },
  { kind: 'picky' },
  { kind: 'module' },
];

const operations = {
  push: 6,
  pull: 4,
  fresh: 3,
  pushpull: 6,
  inPlace: 3,
  again: 2,
  view: 2,
  release: 2,
  pushView: 1,
  rows: 2,
  init: 1,
  rule: 2,
  hyper: 1,
  compression: 1,
  average: 1,
  wrong: 2,
  settle: 2,
  blocking: 2,
  barrier: 1,
  yield: 2,
} as const;
export type Operation = keyof typeof operations;

export interface Step {
  readonly operation: Operation;
  /** Numbers to be taken modulo what there is to choose from. */
  readonly device: number;
  readonly keys: readonly number[];
  readonly picks: readonly number[];
  readonly priority: number;
  /** Whether the next step waits for this one, where that is possible. */
  readonly awaits: boolean;
  readonly blocks: boolean;
}

/** `dist_ssp` without slack: what comes of it is then the same in every interleaving. */
export const types = [
  'local',
  'device',
  'dist_sync',
  'dist_device_sync',
  'dist_async',
  'dist_ssp',
] as const;

export interface Program {
  readonly type: (typeof types)[number];
  readonly devices: number;
  readonly seed: number;
  readonly rule: number;
  /** Whether the coordinator has a thread of its own, so that devices may block. */
  readonly isThreaded: boolean;
  /** Whether one key is large enough for several threads. */
  readonly isLarge: boolean;
  readonly steps: readonly Step[];
}

const weighted = Object.entries(operations).flatMap(([name, weight]) =>
  Array.from({ length: weight }, () => name as Operation),
);
const steps = fc.record({
  operation: fc.constantFrom(...weighted),
  device: fc.nat(3),
  keys: fc.array(fc.nat(keyCount - 1), { minLength: 1, maxLength: 4 }),
  picks: fc.array(fc.nat(5), { minLength: 3, maxLength: 3 }),
  priority: fc.constantFrom(0, 0, 0, 0, 0, 2, -1),
  awaits: fc.boolean(),
  blocks: fc.boolean(),
});

const oneIn = (count: number): fc.Arbitrary<boolean> =>
  fc.nat(count - 1).map((x) => x === count - 1);

/** Programs of one to four devices; those of `local` and `device` have one. */
export const programs: fc.Arbitrary<Program> = fc
  .record({
    type: fc.constantFrom(...types),
    devices: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(1000),
    rule: fc.nat(rules.length - 1),
    isThreaded: oneIn(32),
    isLarge: oneIn(100),
    steps: fc.array(steps, { maxLength: 10, size: 'max' }),
  })
  .map((program) => (program.type.startsWith('dist') ? program : { ...program, devices: 1 }));
