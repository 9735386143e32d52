import { optim, type DType, type OptimizerSpec } from '../../src/index.js';
import { computeDtype, viewOf, type TensorData } from '../../src/core/dtypes.js';
import { castElements, copyElements } from '../../src/core/elements.js';
import type { FloatData } from '../../src/core/optimizers/kernel.js';
import { momentOf, type Counters } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed } from '../../src/core/optimizers/registry.js';
import { hyperOf } from '../../actors/optimizer-update.js';
import * as reference from '../../native/reference.js';
import { Random } from '../helpers/random.js';

/** Rounds of a synchronous store: random schedules of them, and what must come of each. */

/** The keys of schedule `n` of a run are those from `n * keysPerSchedule` on. */
export const keysPerSchedule = 10;

export interface PlannedKey {
  readonly key: number;
  readonly dtype: DType;
  readonly length: number;
}

/** What all devices of a schedule know of it. */
export interface Plan {
  readonly keys: readonly PlannedKey[];
  readonly rule: OptimizerSpec | undefined;
  readonly rounds: number;
  /** Devices go from key to key in one order and wait; else each has an order of its own. */
  readonly isLockstep: boolean;
  readonly seed: number;
}

const floats: readonly DType[] = ['float32', 'float32', 'float64', 'float16', 'bfloat16'];
const integers: readonly DType[] = ['int8', 'uint8', 'int32', 'int64'];
const rules: readonly (OptimizerSpec | undefined)[] = [
  undefined,
  undefined,
  optim.sgd({ lr: 0.1 }),
  optim.sgd({ lr: 0.1, momentum: 0.9, wd: 0.01 }),
  optim.nag({ lr: 0.05, momentum: 0.5 }),
  optim.adam({ lr: 0.01 }),
  optim.adamw({ lr: 0.01, wd: 0.1 }),
  optim.adamax({ lr: 0.01 }),
  optim.rmsprop({ lr: 0.01 }),
  optim.ftrl({ lr: 0.1 }),
  optim.lion({ lr: 0.01 }),
  optim.lamb({ lr: 0.01 }),
  optim.signum({ lr: 0.1, rescaleGrad: 0.5, clipGradient: 1 }),
];

/** Schedule `n` of a run. It depends on the sum of the two, but for the names of its keys. */
export function planOf(firstSeed: number, n: number): Plan {
  const seed = firstSeed + n;
  const random = new Random(seed);
  const rule = random.pick(rules);
  const dtypes = rule === undefined && random.chance(0.3) ? integers : floats;
  const keys = Array.from({ length: 1 + random.integer(4) }, (_, i) => {
    const dice = random.next();
    const length = dice < 0.94 ? random.integer(40) : dice < 0.99 ? 3000 : 50_000;
    return { key: n * keysPerSchedule + i, dtype: random.pick(dtypes), length };
  });
  return { keys, rule, rounds: 1 + random.integer(4), isLockstep: random.chance(0.4), seed };
}

/** The values that `rank` pushes to a key in a round: sums of them round differently in any order. */
export function valuesOf(
  { seed }: Plan,
  { key, dtype, length }: PlannedKey,
  rank: number,
  round: number,
): TensorData[] {
  const random = new Random(seed * 7919 + (key % keysPerSchedule) * 131 + rank * 17 + round);
  return Array.from({ length: 1 + random.integer(2) }, () => {
    const numbers = new Float64Array(length);
    const few = Math.min(length, 97);
    for (let i = 0; i < few; i++) numbers[i] = random.float();
    for (let at = few; at < length; at += few)
      numbers.copyWithin(at, 0, Math.min(few, length - at));
    return castTo(numbers, dtype);
  });
}

export function initialOf(plan: Plan, key: PlannedKey): TensorData {
  return valuesOf(plan, key, 1000, 0)[0]!;
}

function castTo(numbers: Float64Array, dtype: DType): TensorData {
  const elements = empty(dtype, numbers.length);
  castElements(numbers, 'float64', elements, dtype);
  return elements;
}

function empty(dtype: DType, length: number): TensorData {
  return viewOf(dtype, new SharedArrayBuffer(length * 8), 0, length);
}

/** A number that stands for all bits of a tensor. */
export function digest({ buffer, byteOffset, byteLength }: TensorData): number {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The digests of all versions of a key, one round after another, its ranks in ascending order. */
export function versionsOf(plan: Plan, key: PlannedKey, ranks: number): number[] {
  const model = new ModelKey(plan, key);
  const digests = [digest(model.stored)];
  for (let round = 0; round < plan.rounds; round++) {
    const inputs: TensorData[] = [];
    for (let rank = 0; rank < ranks; rank++) inputs.push(...valuesOf(plan, key, rank, round));
    model.update(inputs);
    digests.push(digest(model.stored));
  }
  return digests;
}

/** One stored tensor; the definitions of the kernels do the arithmetic. */
class ModelKey {
  readonly stored: TensorData;
  readonly #key: PlannedKey;
  readonly #rule: OptimizerSpec | undefined;
  #slots: FloatData[] | undefined;
  #count = 0;
  #counters: Counters = {};

  constructor(plan: Plan, key: PlannedKey) {
    this.#key = key;
    this.#rule = plan.rule;
    this.stored = empty(key.dtype, key.length);
    copyElements(initialOf(plan, key), this.stored);
  }

  update(inputs: readonly TensorData[]): void {
    const { key, dtype, length } = this.#key;
    if (this.#rule === undefined) return reference.reduceSum(inputs, this.stored, dtype);
    const optimizer = optimizerNamed(this.#rule.name);
    const options = optimizer.resolve(this.#rule.options);
    const shape = [length];
    this.#slots ??= optimizer
      .slots(options, shape)
      .map(() => empty(computeDtype(dtype), length) as FloatData);
    const counters = this.#count === 0 ? optimizer.counters : this.#counters;
    const step = optimizer.step(
      options,
      momentOf(options, { key, shape, count: this.#count, counters }),
    );
    reference.step(step.kernel.name, {
      dtype,
      shape,
      inputs,
      stored: this.stored,
      slots: this.#slots,
      scratch: empty(computeDtype(dtype), 2 * length + 64) as FloatData,
      hyper: hyperOf(options, step, 1),
    });
    this.#count += 1;
    this.#counters = step.counters ?? {};
  }
}
