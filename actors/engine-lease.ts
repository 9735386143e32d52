import type { Access, Engine, OpenOrder, StoredBuffer } from '../native/engine.js';
import type { Elements } from '../src/core/device-array.js';
import type { Rank, WireGroup, WireTensor } from '../src/core/protocol.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Consistency } from '../src/core/types.js';
import type { Closing } from './closing.js';
import type { CoordinatorHost } from './coordinator-needs.js';
import type { Entry, EntryTicket } from './entry.js';
import { HyperTables, type KeyHyper } from './hyper-tables.js';
import type { KeyTable } from './key-table.js';
import type { Members } from './members.js';
import { scratchOf } from './optimizer-update.js';
import type { Pins } from './pins.js';
import { shownOf } from './pulls.js';
import type { EntryGroup } from './rounds.js';
import type { Rule } from './rule.js';
import { Ticket } from './ticket.js';
import type { UpdateRule } from './update-rule.js';

/** What a lease needs of the coordinator around it. */
export interface LeaseContext {
  readonly keys: KeyTable;
  readonly updates: UpdateRule;
  readonly members: Members;
  readonly pins: Pins;
  readonly closing: Closing;
  readonly consistency: Consistency;
  /** The tensor that a device knows by a number. */
  tensorOf(rank: Rank, number: number): WireTensor;
}

/** A request that the engine had not ended: the coordinator carries out what is left. */
export interface LeftOver {
  readonly ticket: EntryTicket;
  readonly push: readonly EntryGroup[];
  readonly pull: readonly EntryGroup<TensorHandle>[];
}

/**
 * While a store is leased, the engine carries out plain pushes and pulls by itself. The coordinator
 * takes the store back before it looks at any key, and leases it again when nothing waits for it:
 * so each key has one master at a time, and all that is not plain is done in one place.
 */
export class EngineLease {
  readonly #engine: Engine;
  readonly #context: LeaseContext;
  readonly #hyper: HyperTables;
  /** Keys that may have changed since the engine was told of them. */
  readonly #touched = new Set<Entry>();
  /** What the engine goes by for the updates of a key. */
  readonly #hyperOf = new Map<Entry, KeyHyper>();
  /** Keys on CUDA devices that the engine has been told to leave alone. */
  readonly #leftAlone = new WeakSet<Entry>();
  #rule: Rule | undefined;
  #isLeased = false;

  private constructor(engine: Engine, context: LeaseContext) {
    this.#engine = engine;
    this.#context = context;
    this.#hyper = new HyperTables(engine);
  }

  /** The lease of a coordinator's store to the engine of its host, if that has one. */
  static on(
    { engine, tensorOf }: CoordinatorHost,
    context: Omit<LeaseContext, 'tensorOf'>,
  ): EngineLease | undefined {
    return engine && new EngineLease(engine, { ...context, tensorOf: tensorOf! });
  }

  /** The engine has to be told of these keys anew. */
  touch(entries: Iterable<Entry>): void {
    for (const entry of entries) this.#touched.add(entry);
  }

  /** As `touch`, of all keys. */
  touchAll(): void {
    this.#rule = undefined;
  }

  /** As `touch`, of the keys for which the engine has no hyper-parameters left. */
  renew(): void {
    this.touch(this.#hyper.exhausted());
  }

  /** There are `ranks` ranks now. Only while the store is not leased. */
  grow(ranks: number): void {
    this.#engine.grow(ranks);
    this.touchAll();
  }

  /** Takes the store back, with the requests that have not ended, those of a device in order. */
  recall(): readonly LeftOver[] {
    if (!this.#isLeased) return [];
    this.#isLeased = false;
    const { tickets, pins, made } = this.#engine.recall();
    const entries = this.#context.keys.entries();
    for (const { key, rounds, hasMoved } of made) this.#advance(entries[key]!, rounds, hasMoved);
    for (let at = 0; at < pins.length; at += 4) {
      const [key, buffer, rank, count] = pins.subarray(at, at + 4);
      const entry = entries[key!]!;
      this.#context.pins.pin(rank!, entry, this.#bufferOf(entry, buffer!), count);
    }
    return tickets.map((order) => this.#leftOver(order));
  }

  /** Leases the store to the engine, unless something waits for a key or needs the coordinator. */
  grant(): void {
    const { keys, updates, members, consistency, pins } = this.#context;
    if (this.#isLeased || !updates.isPlain) return;
    const { rule } = updates;
    if (consistency !== 'async' && members.fatal().length > 0) return;
    for (const entry of this.#touched) if (!entry.isIdle) return;
    if (rule !== this.#rule) {
      this.#rule = rule;
      this.#hyper.begin(rule.kind === 'optimizer' ? rule : undefined);
      this.touch(keys.entries());
    }
    for (const entry of this.#touched) this.#publish(entry);
    this.#touched.clear();
    const held = pins.takeHeld();
    this.#engine.lease(
      members.live(),
      held.flatMap(({ entry, buffer, rank, count }) => [entry.order, buffer, rank, count]),
    );
    this.#isLeased = true;
  }

  /** The buffer of a key that has this number. */
  #bufferOf({ stored, spare }: Entry, number: number): Elements {
    const isStored = this.#context.pins.numberOf(stored) === number;
    return isStored || spare === undefined ? stored : spare;
  }

  /** The engine has made `made` versions of a key; `hasMoved`: it is in its other buffer now. */
  #advance(entry: Entry, made: number, hasMoved: boolean): void {
    entry.version += made;
    if (hasMoved) [entry.stored, entry.spare] = [entry.spare!, entry.stored];
    const hyper = this.#hyperOf.get(entry);
    if (hyper === undefined) return;
    entry.count += made;
    entry.counters = hyper.countersAt(entry.count);
  }

  #publish(entry: Entry): void {
    const { order: key, like, version, stored, spare } = entry;
    const { pins } = this.#context;
    const access = this.#accessOf(entry);
    if (entry.cudaDevice !== undefined) {
      const isAlone = access.kind === 'none';
      if (isAlone && this.#leftAlone.has(entry)) return;
      this.#leftAlone[isAlone ? 'add' : 'delete'](entry);
    }
    const numbered = (data: Elements): StoredBuffer => ({ data, number: pins.numberOf(data) });
    this.#engine.setPlan({
      key,
      dtype: like.dtype,
      version,
      stored: numbered(stored),
      other: spare && numbered(spare),
      access,
    });
    const { consistency, closing } = this.#context;
    if (consistency === 'ssp') this.#engine.setClocks(key, closing.clocksOf(entry));
  }

  #accessOf(entry: Entry): Access {
    const { updates } = this.#context;
    this.#hyperOf.delete(entry);
    if (entry.rows !== undefined || this.#isForeign(entry)) return { kind: 'none' };
    const { rule } = updates;
    if (rule.kind !== 'optimizer') {
      return { kind: entry.setting === rule.setting ? 'assign' : 'read' };
    }
    const targets = updates.targets(entry);
    if (targets === undefined) return { kind: 'read' };
    const hyper = this.#hyper.of(entry);
    // Their launches depend on their numbers: nothing of them could be kept.
    if (entry.cudaDevice !== undefined && hyper.step.kernel.whole) return { kind: 'none' };
    this.#hyperOf.set(entry, hyper);
    return {
      kind: 'step',
      rule: hyper.step.kernel.name,
      scratchLength: scratchOf(entry.like, rule.options, hyper.step),
      table: hyper.table,
      count: entry.count,
      ...targets,
    };
  }

  /** Whether a key on a CUDA device is the coordinator's: only lists in rounds of all are the engine's. */
  #isForeign({ cudaDevice, stored }: Entry): boolean {
    const { consistency, pins } = this.#context;
    return cudaDevice !== undefined && (consistency !== 'sync' || pins.isPinned(stored));
  }

  #leftOver(order: OpenOrder): LeftOver {
    const { rank, id, deadlineMs, type, priority, views } = order;
    const push = this.#groups(rank, order.push);
    const pull = [
      ...(this.#groups(rank, order.pull) as readonly EntryGroup<TensorHandle>[]),
      ...this.#openViews(views),
    ];
    const toWire = <Wire extends WireTensor>(
      groups: readonly EntryGroup<Wire>[],
    ): WireGroup<Wire>[] => groups.map(({ entry: { key }, tensors }) => ({ key, tensors }));
    const view = views.length > 0;
    const words = { push: toWire(push), pull: toWire(pull) };
    const ticket = new Ticket<Entry>(rank, { type, id, deadlineMs, priority, view, ...words });
    this.#eachView(views, (entry, index, buffer, version) => {
      if (buffer < 0) return;
      const { pins } = this.#context;
      ticket.views[index] = shownOf(entry, this.#bufferOf(entry, buffer), version, pins);
    });
    return { ticket, push, pull };
  }

  #openViews(views: Float64Array): EntryGroup<TensorHandle>[] {
    const open: EntryGroup<TensorHandle>[] = [];
    this.#eachView(views, (entry, index, buffer) => {
      if (buffer < 0) open.push({ entry, tensors: [], index });
    });
    return open;
  }

  /** Calls `see` with each view of an order: its key, place, buffer and version. */
  #eachView(
    views: Float64Array,
    see: (entry: Entry, index: number, buffer: number, version: number) => void,
  ): void {
    const entries = this.#context.keys.entries();
    for (let at = 0; at < views.length; at += 3) {
      see(entries[views[at]!]!, at / 3, views[at + 1]!, views[at + 2]!);
    }
  }

  #groups(rank: Rank, words: Int32Array): EntryGroup[] {
    const { keys, tensorOf } = this.#context;
    const groups: EntryGroup[] = [];
    for (let at = 0; at < words.length;) {
      const entry = keys.entries()[words[at]!]!;
      const numbers = words.subarray(at + 2, at + 2 + words[at + 1]!);
      groups.push({ entry, tensors: Array.from(numbers, (number) => tensorOf(rank, number)) });
      at += 2 + numbers.length;
    }
    return groups;
  }
}
