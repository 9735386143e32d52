import { dtypeInfo, type TensorData } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import { allocate, type MemoryBudget } from '../src/core/memory.js';
import type { CommonOptions, FloatData } from '../src/core/optimizers/optimizer.js';
import { Tensor } from '../src/core/tensor.js';
import { runUpdater } from '../src/core/updaters.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import type { Rule, RuleKind } from './rule.js';

/**
 * Makes versions: owns the rule in force, the slots and the scratch memory that it needs, and counts
 * them against the store's budget before they are allocated.
 */
export class UpdateRule {
  readonly #kernels: Kernels;
  readonly #budget: MemoryBudget;
  #rule: Rule = { kind: 'assign', setting: 0 };
  /** Buffers for sums that an updater function reads, free to use again. */
  readonly #freeInputs = new Map<string, TensorData[]>();

  constructor(kernels: Kernels, budget: MemoryBudget) {
    this.#kernels = kernels;
    this.#budget = budget;
  }

  get rule(): Rule {
    return this.#rule;
  }

  /** Puts `rule` in force for pushes from now on; those that wait keep the one they came with. */
  use(rule: RuleKind, entries: Iterable<Entry>): void {
    this.#rule = { ...rule, setting: this.#rule.setting + 1 };
    for (const entry of entries) if (entry.isIdle) this.#adopt(entry, this.#rule);
    for (const input of [...this.#freeInputs.values()].flat()) {
      this.#budget.release(input.byteLength);
    }
    this.#freeInputs.clear();
  }

  /** New options of the optimizer in force; slots stay. Throws `no_optimizer`, `bad_optimizer`. */
  change(options: Readonly<Record<string, unknown>>): CommonOptions {
    if (this.#rule.kind !== 'optimizer') {
      throw new KVStoreError('no_optimizer', 'changing an option expected an optimizer to be set');
    }
    const resolved = this.#rule.optimizer.resolve({ ...this.#rule.options, ...options });
    this.#rule = { ...this.#rule, options: resolved };
    return resolved;
  }

  /**
   * Checks that the rule in force can update `entry`, and allocates what it needs, unless pushes with
   * an older rule still wait: then that is left to the update. Throws `memory_limit` or `unsupported`.
   */
  admit(entry: Entry): void {
    const rule = this.#rule;
    if (rule.kind === 'optimizer' && !dtypeInfo(entry.like.dtype).floating) {
      throw new KVStoreError(
        'unsupported',
        `${showKey(entry.key)}: optimizer ${rule.optimizer.name} expected a float32 or float64 ` +
          `tensor, got ${entry.like.dtype}`,
        { key: entry.key },
      );
    }
    if (entry.setting === rule.setting || entry.isIdle) this.#prepare(entry, rule);
  }

  /** Applies `rule` to the values of one round, which are added in order. Not for `caller`. */
  apply(rule: Rule, entry: Entry, inputs: readonly TensorData[]): void {
    this.#prepare(entry, rule);
    switch (rule.kind) {
      case 'assign':
        this.#kernels.reduceSum(inputs, entry.stored);
        return;
      case 'optimizer':
        rule.optimizer.update(this.#kernels, rule.options, {
          key: entry.key,
          inputs: inputs as readonly FloatData[],
          stored: entry.stored as FloatData,
          slots: rule.optimizer
            .slots(rule.options)
            .map((name) => entry.slots.get(name) as FloatData),
        });
        return;
      case 'module':
        this.#applyModule(rule, entry, inputs);
        return;
      case 'caller':
        throw new Error('an updater function runs on its device, see start()');
    }
  }

  /** The sum of a round, and a copy of the stored tensor that a device's updater may edit. */
  start(
    rule: Rule,
    entry: Entry,
    inputs: readonly TensorData[],
  ): { readonly input: TensorData; readonly scratch: TensorData } {
    this.#prepare(entry, rule);
    const input = this.#takeInput(entry);
    const scratch = entry.spare!;
    this.#kernels.reduceSum(inputs, input);
    this.#kernels.copy(entry.stored, [scratch]);
    return { input, scratch };
  }

  /** The edited copy becomes the stored tensor, or is given up when the updater failed. */
  finish(entry: Entry, input: TensorData, succeeded: boolean): void {
    if (!succeeded) return this.abandon(entry);
    this.#giveInput(entry, input);
    [entry.stored, entry.spare] = [entry.spare!, entry.stored];
  }

  /** Gives up an update: what an updater left open may still write its buffers, so they are gone. */
  abandon(entry: Entry): void {
    this.#budget.release(2 * entry.byteLength);
    entry.spare = undefined;
  }

  #applyModule(
    rule: Rule & { readonly kind: 'module' },
    entry: Entry,
    inputs: readonly TensorData[],
  ): void {
    const { input, scratch } = this.start(rule, entry, inputs);
    let succeeded = false;
    try {
      const stored = Tensor.fromHandle(entry.handleOn(scratch));
      runUpdater(rule.updater, entry.key, Tensor.fromHandle(entry.handleOn(input)), stored);
      succeeded = true;
    } finally {
      this.finish(entry, input, succeeded);
    }
  }

  /** Allocates the slots and buffers that an update by `rule` needs. */
  #prepare(entry: Entry, rule: Rule): void {
    this.#adopt(entry, rule);
    if (rule.kind === 'caller' || rule.kind === 'module') {
      entry.spare ??= this.#reserve(entry, 'the update buffer');
    } else if (rule.kind === 'optimizer') {
      for (const name of rule.optimizer.slots(rule.options)) {
        if (!entry.slots.has(name)) entry.slots.set(name, this.#reserve(entry, `slot ${name}`));
      }
    }
  }

  /** Forgets what another setting needed of `entry`, slots included. */
  #adopt(entry: Entry, rule: Rule): void {
    if (entry.setting === rule.setting) return;
    const buffers = entry.slots.size + (entry.spare === undefined ? 0 : 1);
    this.#budget.release(buffers * entry.byteLength);
    entry.slots.clear();
    entry.spare = undefined;
    entry.setting = rule.setting;
  }

  #reserve(entry: Entry, what: string): TensorData {
    const name = `${what} of ${showKey(entry.key)}`;
    this.#budget.reserve(entry.byteLength, name, entry.key);
    try {
      return allocate(entry.like.dtype, entry.stored.length);
    } catch (error) {
      this.#budget.release(entry.byteLength);
      throw error;
    }
  }

  #takeInput(entry: Entry): TensorData {
    return this.#freeInputs.get(inputKind(entry))?.pop() ?? this.#reserve(entry, 'the sum');
  }

  #giveInput(entry: Entry, input: TensorData): void {
    const kind = inputKind(entry);
    const free = this.#freeInputs.get(kind);
    if (free) free.push(input);
    else this.#freeInputs.set(kind, [input]);
  }
}

function inputKind(entry: Entry): string {
  return `${entry.like.dtype} ${entry.stored.length}`;
}
