import type { Elements } from '../src/core/device-array.js';
import { dtypeInfo } from '../src/core/dtypes.js';
import { fromFailure, KVStoreError, toFailure, type Failure } from '../src/core/errors.js';
import { customOf } from '../src/core/optimizers/custom.js';
import { changeOptions, type CommonOptions } from '../src/core/optimizers/optimizer.js';
import { isRowSparse, type CoordinatorOptions, type WireTensor } from '../src/core/protocol.js';
import { sizeOf, type Shape } from '../src/core/shape.js';
import { Tensor } from '../src/core/tensor.js';
import { runUpdater } from '../src/core/updaters.js';
import type { Kernels } from '../native/kernels.js';
import { callFactor, nextLossScale, spansCall, type RoundInputs } from './call-scale.js';
import { Compression } from './compression.js';
import type { RoundValues } from './round-values.js';
import type { Entry, OpenUpdate, PushPart } from './entry.js';
import { FiniteGuard } from './finite-guard.js';
import { OptimizerUpdate, type StepTargets } from './optimizer-update.js';
import type { Rule, RuleKind } from './rule.js';
import { RowSums } from './row-sums.js';
import { SparseUpdates } from './sparse-updates.js';
import { bufferOf, SpareBuffers } from './spare-buffers.js';
import { runWithin } from './time-limit.js';
import type { DenseLike, KeyState, UpdateContext } from './update-context.js';
import { Workspace } from './workspace.js';

/**
 * Makes versions: owns the rule in force and what an update needs beside the stored tensor. The work
 * of optimizers is in `OptimizerUpdate`.
 */
export class UpdateRule {
  readonly compression: Compression;
  readonly #kernels: Kernels;
  readonly #spares: SpareBuffers;
  readonly #workspace: Workspace;
  readonly #optimizers: OptimizerUpdate;
  readonly #rowSums: RowSums;
  readonly #sparse: SparseUpdates;
  readonly #guard: FiniteGuard;
  readonly #updaterTimeoutMs: number;
  readonly #isAsync: boolean;
  readonly #changed: () => void;
  #rule: Rule = { kind: 'assign', setting: 0 };
  #goodCalls = 0;

  constructor(
    kernels: Kernels,
    { budget, pins, changed }: UpdateContext,
    { compression, consistency, guard, updaterTimeoutMs = Infinity }: CoordinatorOptions,
  ) {
    this.#kernels = kernels;
    this.#changed = changed;
    this.#workspace = new Workspace(budget);
    this.#spares = new SpareBuffers(kernels, pins, this.#workspace);
    this.compression = new Compression(kernels, this.#workspace, compression);
    this.#rowSums = new RowSums(kernels, this.#workspace);
    this.#sparse = new SparseUpdates(kernels, this.#workspace);
    this.#optimizers = new OptimizerUpdate(kernels, this.#workspace, updaterTimeoutMs);
    this.#guard = new FiniteGuard(kernels, this.#workspace, guard === 'finite');
    this.#updaterTimeoutMs = updaterTimeoutMs;
    this.#isAsync = consistency !== 'sync';
  }

  get rule(): Rule {
    return this.#rule;
  }

  /** The values of a round as they are added. Throws `stype_mismatch`, `memory_limit`. */
  valuesOf(entry: Entry, parts: readonly PushPart[]): RoundValues {
    const isSparse = parts.some(({ rows }) => rows !== undefined);
    return isSparse ? this.#rowSums.round(entry, parts) : this.compression.round(entry, parts);
  }

  /** Puts `rule` in force for pushes from now on; those that wait keep the one they came with. */
  use(rule: RuleKind, entries: Iterable<Entry>): void {
    this.#rule = { ...rule, setting: this.#rule.setting + 1 };
    this.#goodCalls = 0;
    for (const entry of entries) if (entry.isIdle) this.#adopt(entry, this.#rule);
    this.#workspace.clear();
    this.#guard.release();
  }

  /**
   * New options of the optimizer in force; slots stay. Throws `no_optimizer`, `bad_optimizer`,
   * `scheduler_owns_lr`.
   */
  change(options: Readonly<Record<string, unknown>>): CommonOptions {
    if (this.#rule.kind !== 'optimizer') {
      throw new KVStoreError('no_optimizer', 'changing an option expected an optimizer to be set');
    }
    const resolved = changeOptions(this.#rule.optimizer, this.#rule.options, options);
    this.#rule = { ...this.#rule, options: resolved };
    return resolved;
  }

  /** Puts the optimizer of a checkpoint in force; slots stay where it is the one that is. */
  restore(
    rule: RuleKind & { readonly kind: 'optimizer' },
    entries: Iterable<Entry>,
    goodCalls: number,
  ): void {
    const same =
      this.#rule.kind === 'optimizer' && this.#rule.optimizer.name === rule.optimizer.name;
    if (same) this.#rule = { ...rule, setting: this.#rule.setting };
    else this.use(rule, entries);
    this.#goodCalls = goodCalls;
  }

  /** What the optimizer in force remembers of `entry` from now on; the budget has counted it. */
  putState(entry: Entry, { slots, count, counters }: KeyState): void {
    this.#forget(entry);
    entry.setting = this.#rule.setting;
    for (const [name, slot] of slots) entry.slots.set(name, slot);
    entry.count = count;
    entry.counters = counters;
  }

  /**
   * Whether updates of plain pushes need nothing but kernels: no function, no codec, no look at the
   * result, and nothing of the other keys of a call.
   */
  get isPlain(): boolean {
    const rule = this.#rule;
    if (this.compression.rule !== undefined || this.#guard.isOn) return false;
    if (rule.kind === 'assign') return !this.#isAsync;
    if (rule.kind !== 'optimizer' || customOf(rule.optimizer) !== undefined) return false;
    return !spansCall(rule);
  }

  /** What an update of `entry` by the optimizer in force works on; undefined if it is not ready. */
  targets(entry: Entry): StepTargets | undefined {
    const rule = this.#rule;
    if (rule.kind !== 'optimizer' || entry.setting !== rule.setting) return undefined;
    return this.#optimizers.targets(entry, rule);
  }

  /** The shape of a slot under `rule`; undefined for one that it does not have. */
  slotShape(name: string, like: DenseLike, rule: RuleKind): Shape | undefined {
    return rule.kind === 'optimizer' ? this.#optimizers.slotShape(name, like, rule) : undefined;
  }

  /**
   * Checks that the rule in force can update `entry`, and allocates what it needs, unless pushes with
   * an older rule still wait: then memory is left to the update. Throws `updater_required`,
   * `memory_limit`, `unsupported`.
   */
  admit(entry: Entry, values: readonly WireTensor[]): void {
    const rule = this.#rule;
    if (this.#isAsync && rule.kind === 'assign') {
      throw new KVStoreError(
        'updater_required',
        'a push to an asynchronous store expected setUpdater or setOptimizer to be called before',
        { key: entry.key },
      );
    }
    this.compression.admit(entry, values.some(isRowSparse));
    if (entry.setting === rule.setting || entry.isIdle) this.#prepare(entry, rule);
    else if (rule.kind === 'optimizer') this.#optimizers.check(entry, rule);
  }

  /**
   * What the gradients of a call are multiplied by; undefined when the call is skipped. Moves the
   * loss scale on, if it is to be found.
   */
  callFactor(rule: Rule, rounds: readonly RoundInputs[]): number | undefined {
    if (!spansCall(rule)) return 1;
    const factor = callFactor(this.#kernels, rule.options, rounds);
    const current = this.#rule;
    if (current.kind !== 'optimizer' || current.setting !== rule.setting) return factor;
    const next = nextLossScale(current.options, this.#goodCalls, factor === undefined);
    if (next === undefined) return factor;
    this.#goodCalls = next.goodCalls;
    if (next.lossScale !== current.options.lossScale) {
      this.change({ lossScale: next.lossScale });
      this.#changed();
    }
    return factor;
  }

  /** Calls since the loss scale changed. */
  get goodCalls(): number {
    return this.#goodCalls;
  }

  /** Applies `rule` to the values of one round, which are added in order. Not for `caller`. */
  apply(rule: Rule, entry: Entry, values: RoundValues, factor = 1): void {
    this.#prepare(entry, rule);
    switch (rule.kind) {
      case 'assign':
        this.#assign(entry, values);
        break;
      case 'optimizer':
        this.#optimise(rule, entry, values, factor);
        break;
      case 'module':
        this.#applyModule(rule, entry, values);
        break;
      case 'caller':
        throw new Error('an updater function runs on its device, see start()');
    }
    // What the codecs left out is exchanged as soon as the round has ended.
    if (values.isCompressed === true) this.#send(entry);
  }

  /** Sends what a CUDA device has to do for `entry`, so that it can no more be refused. */
  #send({ cudaDevice }: Entry): void {
    if (cudaDevice !== undefined) this.#kernels.flush(cudaDevice);
  }

  /**
   * The sum of a round, and a copy of the stored tensor that an updater may edit; of a key stored
   * row-sparse those rows that were pushed.
   */
  start(rule: Rule, entry: Entry, values: RoundValues): OpenUpdate {
    this.#prepare(entry, rule);
    if (entry.rows !== undefined) return this.#sparse.open(entry, values);
    const input = this.#workspace.take(bufferOf(entry, 'the sum'));
    const scratch = entry.spare!;
    try {
      this.#sumInto(entry, values, input);
      this.#kernels.copy(entry.stored, [scratch]);
      this.#send(entry); // Whoever runs the updater is to see it.
    } catch (error) {
      this.#workspace.give(bufferOf(entry, 'the sum'), input);
      throw error;
    }
    return { shape: entry.like.shape, input, scratch };
  }

  /**
   * The edited copy becomes the stored tensor, or is given up when the updater failed, or when the
   * store's guard refuses it. Returns the failure, if there is one.
   */
  finish(entry: Entry, open: OpenUpdate, failure: Failure | undefined): Failure | undefined {
    if (failure !== undefined) {
      this.abandon(entry, open);
      return failure;
    }
    try {
      this.#guard.check(entry, open.scratch);
      if (open.rows === undefined) this.#spares.swap(entry);
      else this.#sparse.commit(entry, open);
      return undefined;
    } catch (error) {
      return toFailure(error);
    } finally {
      if (open.rows === undefined) this.#workspace.give(bufferOf(entry, 'the sum'), open.input);
      else this.abandon(entry, open);
    }
  }

  /** Gives up an update: what an updater left open may still write its buffers, so they are gone. */
  abandon(entry: Entry, { input, scratch, rows }: OpenUpdate): void {
    this.#workspace.release(input);
    this.#workspace.release(scratch);
    if (rows === undefined) entry.spare = undefined;
  }

  /** Gives up the second buffers that no view needs any more. Returns the keys that had them. */
  trim(): Entry[] {
    return this.isPlain ? this.#spares.trimAll() : [];
  }

  /** What a pull of the average reads. Throws `bad_argument` where there is none. */
  averageOf(entry: Entry): Elements {
    return this.#optimizers.averageOf(entry, this.#rule);
  }

  /** The sum replaces the stored tensor: in place, if no view and no guard looks at it. */
  #assign(entry: Entry, values: RoundValues): void {
    if (entry.rows !== undefined) {
      this.#guard.check(entry, values.inputs[0]!);
      return this.#sparse.replace(entry, values);
    }
    // Rows are put in behind zeros, and a device may yet refuse them.
    const isUnsure = values.rows !== undefined && entry.cudaDevice !== undefined;
    const aside = isUnsure || this.#guard.watches(entry) || this.#spares.isPinned(entry);
    if (aside) this.#spares.prepare(entry);
    this.#sumInto(entry, values, aside ? entry.spare! : entry.stored);
    if (!aside) return this.#spares.trim(entry);
    this.#guard.check(entry, entry.spare!);
    this.#spares.swap(entry);
  }

  /** The optimizer updates the rows that were pushed, or all of them with zeros for the others. */
  #optimise(
    rule: Rule & { readonly kind: 'optimizer' },
    entry: Entry,
    values: RoundValues,
    factor: number,
  ): void {
    this.#spares.detach(entry);
    const update = (sum: Omit<RoundValues, 'end'>): void =>
      this.#guard.protect(
        entry,
        () => this.#optimizers.apply(entry, rule, sum, factor),
        customOf(rule.optimizer) !== undefined,
      );
    if (entry.rows !== undefined) return this.#optimiseRows(rule, entry, values, update);
    if (values.rows === undefined || this.#optimizers.isLazy(entry, rule)) return update(values);
    const sum = this.#workspace.take(bufferOf(entry, 'the sum'));
    try {
      this.#sumInto(entry, values, sum);
      update({ inputs: [sum] });
    } finally {
      this.#workspace.give(bufferOf(entry, 'the sum'), sum);
    }
  }

  /** The optimizer updates the rows that were pushed, or all that are held. */
  #optimiseRows(
    rule: Rule & { readonly kind: 'optimizer' },
    entry: Entry,
    { inputs, rows: ids }: RoundValues,
    update: (sum: Omit<RoundValues, 'end'>) => void,
  ): void {
    const slotLength = (name: string, shape: Shape): number =>
      sizeOf(this.slotShape(name, { dtype: entry.like.dtype, shape }, rule) ?? [0]);
    this.#sparse.withRows(entry, ids!, slotLength, (positions) => {
      if (this.#optimizers.isLazy(entry, rule)) return update({ inputs, rows: positions });
      const sum = this.#sparse.spread(entry, inputs[0]!, positions);
      try {
        update({ inputs: [sum] });
      } finally {
        this.#workspace.release(sum);
      }
    });
  }

  /** Writes the sum of a round to `out`, as a whole tensor. */
  #sumInto(entry: Entry, { inputs, rows }: RoundValues, out: Elements): void {
    const { dtype, shape } = entry.like;
    if (rows === undefined) return this.#kernels.reduceSum(inputs, out, dtype);
    const rowBytes = sizeOf(shape.slice(1)) * dtypeInfo(dtype).bytes;
    this.#kernels.clear(out);
    this.#kernels.scatterRows(inputs[0]!, rows, out, rowBytes);
  }

  #applyModule(rule: Rule & { readonly kind: 'module' }, entry: Entry, values: RoundValues): void {
    const open = this.start(rule, entry, values);
    let failure: Failure | undefined;
    try {
      const sum = Tensor.fromHandle(entry.handleOn(open.input, open.shape));
      const stored = Tensor.fromHandle(entry.handleOn(open.scratch, open.shape));
      runWithin(this.#updaterTimeoutMs, entry.key, () =>
        runUpdater(rule.updater, entry.key, sum, stored),
      );
    } catch (error) {
      failure = toFailure(error, 'updater_error');
    }
    failure = this.finish(entry, open, failure);
    if (failure !== undefined) throw fromFailure(failure);
  }

  /** Allocates the slots and buffers that an update by `rule` needs. */
  #prepare(entry: Entry, rule: Rule): void {
    this.#adopt(entry, rule);
    if (rule.kind === 'caller' || rule.kind === 'module') {
      this.#spares.prepare(entry);
    } else if (rule.kind === 'optimizer') {
      this.#optimizers.prepare(entry, rule);
    }
  }

  /** Forgets what another setting needed of `entry`, slots included. */
  #adopt(entry: Entry, rule: Rule): void {
    if (entry.setting === rule.setting) return;
    this.#forget(entry);
    this.#spares.release(entry);
    entry.setting = rule.setting;
  }

  /** Forgets what an optimizer remembers of `entry`. */
  #forget(entry: Entry): void {
    for (const slot of entry.slots.values()) this.#workspace.release(slot);
    entry.slots.clear();
    entry.newSlots.clear();
    entry.count = 0;
    entry.counters = {};
  }
}
