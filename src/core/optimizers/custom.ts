import { KVStoreError, show } from '../errors.js';
import type { Key } from '../keys.js';
import { isPlainObject } from '../options.js';
import type { Tensor } from '../tensor.js';
import {
  commonDefaults,
  defineOptimizer,
  zeroSlot,
  type CommonOptions,
  type Optimizer,
} from './optimizer.js';
import type { OptionCheck } from './option-checks.js';

/** Options of a custom optimizer with their defaults. */
export type CustomDefaults = Readonly<Record<string, number | boolean>>;

/** One update of one key, as a custom optimizer makes it. */
export interface CustomStep {
  readonly key: Key;
  /** The round's sum, rescaled and clipped. Its own copy: it may be changed. */
  readonly gradient: Tensor;
  /** The weights, to be updated in place; float32 or float64, whatever the key's dtype is. */
  readonly weight: Tensor;
  /** A tensor like the weights for each of the class's `slots`, to be updated in place. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Learning rate and weight decay of the key, with its factors and by the schedule. */
  readonly lr: number;
  readonly wd: number;
  /** Number of this update among those of the key, from 1. */
  readonly count: number;
  /** The options in force, own and common ones. */
  readonly options: CommonOptions & CustomDefaults;
}

/**
 * An optimizer of a user's own: the default export of a module that `registerOptimizer` names. It
 * runs in the coordinator. State belongs into slots: they are saved, and put back when `update`
 * throws, as the weights are.
 */
export abstract class CustomOptimizer {
  /** Own options, numbers or booleans, and common ones whose defaults differ; `lr` is 0.01. */
  static readonly defaults: CustomDefaults = {};
  /** Names of the tensors remembered for each key; they start with zeros. */
  static readonly slots: readonly string[] = [];

  /** Updates `weight` and `slots` in place, synchronously. */
  abstract update(step: CustomStep): void;
}

/** What is known of a custom optimizer where it does not run. */
export interface CustomSpec {
  readonly name: string;
  readonly defaults: CustomDefaults;
  readonly slots: readonly string[];
}

/** An optimizer that is not built in. */
interface Customised extends Optimizer {
  readonly custom: Custom;
}

/** What a custom optimizer is beside its options; `update` is missing where it does not run. */
export interface Custom {
  readonly spec: CustomSpec;
  readonly update?: CustomUpdate;
}

/** Undefined for a built-in optimizer. */
export function customOf(optimizer: Optimizer): Custom | undefined {
  return (optimizer as Partial<Customised>).custom;
}

/** Makes an update; a throw leaves it to the store to put things back. */
export type CustomUpdate = (step: CustomStep) => void;

/** Whether `value` is a class whose instances can update. */
export function isOptimizerClass(value: unknown): value is new () => CustomOptimizer {
  if (typeof value !== 'function') return false;
  const prototype = value.prototype as Partial<CustomOptimizer> | undefined;
  return typeof prototype?.update === 'function';
}

/** What the class at `url` says of itself. Throws `bad_optimizer`. */
export function customSpec(name: string, optimizerClass: unknown): CustomSpec {
  const { defaults = {}, slots = [] } = optimizerClass as Partial<typeof CustomOptimizer>;
  const isOption = (value: unknown): boolean =>
    typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
  if (!isPlainObject(defaults) || !Object.values(defaults).every(isOption)) {
    throw bad(name, 'static defaults of numbers and booleans', defaults);
  }
  const names = Array.isArray(slots) ? (slots as readonly unknown[]) : [undefined];
  const isSlot = (slot: unknown): boolean => typeof slot === 'string' && /^\w+$/.test(slot);
  const isOwn = names.every(isSlot) && !names.includes('master') && !names.includes('ema');
  if (!isOwn || new Set(names).size < names.length) {
    throw bad(name, 'static slots of different names, not master or ema', slots);
  }
  return { name, defaults: { ...defaults }, slots: [...slots] };
}

/** The optimizer that `spec` describes; it can update only where `update` is given. */
export function customOptimizer(spec: CustomSpec, update?: CustomUpdate): Optimizer {
  const { name, defaults, slots } = spec;
  const own = Object.entries(defaults).filter(([option]) => !isCommon(option));
  const checks = own.map(([option, value]): [string, OptionCheck] => [
    option,
    typeof value === 'boolean' ? 'boolean' : 'finite',
  ]);
  const kernel = { name, slots: slots.length, whole: true, run: notNative } as const;
  const optimizer = defineOptimizer<CommonOptions>({
    name,
    defaults: { lr: 0.01, ...defaults },
    checks: Object.fromEntries(checks),
    slots: () => slots.map((slot) => zeroSlot(slot)),
    step: () => ({ kernel, hyper: [] }),
  });
  const custom = { spec, ...(update && { update }) };
  return Object.freeze({ ...optimizer, custom }) satisfies Customised;
}

function isCommon(option: string): boolean {
  return option === 'lr' || option in commonDefaults;
}

function notNative(): never {
  throw new Error('a custom optimizer has no kernel');
}

function bad(name: string, expected: string, got: unknown): KVStoreError {
  return new KVStoreError(
    'bad_optimizer',
    `optimizer ${name} expected ${expected}, got ${show(got)}`,
  );
}
