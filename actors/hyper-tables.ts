import type { Engine } from '../native/engine.js';
import {
  momentOf,
  type CommonOptions,
  type Counters,
  type Moment,
  type Optimizer,
  type Step,
} from '../src/core/optimizers/optimizer.js';
import { factorOf } from '../src/core/optimizers/option-checks.js';
import type { Entry } from './entry.js';
import { hyperOf } from './optimizer-update.js';

/** Updates that a table holds hyper-parameters for, where they depend on their number. */
const rowsAhead = 256;

/** An optimizer with its options. */
export interface OptimizerInForce {
  readonly optimizer: Optimizer;
  readonly options: CommonOptions;
}

/** What of a moment an optimizer looks at. */
interface Dependencies {
  readonly count: boolean;
  readonly counters: boolean;
  readonly shape: boolean;
  readonly key: boolean;
}

/** The hyper-parameters that a key goes by. */
export interface KeyHyper {
  readonly table: number;
  /** The step that they belong to. */
  readonly step: Step;
  /** The optimizer's numbers of the key once it has made `count` updates. */
  countersAt(count: number): Counters;
}

/**
 * Works out the hyper-parameters of updates to come, so that the engine can make them without asking.
 * Keys that go by the same numbers share a table.
 */
export class HyperTables {
  readonly #engine: Engine;
  readonly #tables = new Map<string, Table>();
  readonly #tableOf = new Map<Entry, Table>();
  /** Numbers that the engine knows and no table has. */
  readonly #free: number[] = [];
  #inForce: OptimizerInForce | undefined;
  #dependencies: Dependencies | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Forgets all tables: from now on they are those of another optimizer, or of later updates. */
  begin(inForce: OptimizerInForce | undefined): void {
    for (const { number } of this.#tables.values()) this.#free.push(number);
    this.#tables.clear();
    this.#tableOf.clear();
    this.#inForce = inForce;
    this.#dependencies = undefined;
  }

  /** The hyper-parameters of the next updates of `entry`; only while the store is not leased. */
  of(entry: Entry): KeyHyper {
    const known = this.#tableOf.get(entry);
    if (known !== undefined && covers(known, entry.count)) return keyHyper(known);
    if (known !== undefined) this.#letGo(entry, known);
    const table = this.#tableFor(entry);
    table.users += 1;
    this.#tableOf.set(entry, table);
    return keyHyper(table);
  }

  /** Keys that have made all updates which their tables hold hyper-parameters for. */
  exhausted(): Entry[] {
    return [...this.#tableOf].flatMap(([entry, table]) =>
      covers(table, entry.count) ? [] : [entry],
    );
  }

  #letGo(entry: Entry, table: Table): void {
    this.#tableOf.delete(entry);
    table.users -= 1;
    if (table.users > 0) return;
    this.#tables.delete(table.name);
    this.#free.push(table.number);
  }

  #tableFor(entry: Entry): Table {
    const { optimizer, options } = this.#inForce!;
    const counters = entry.count === 0 ? optimizer.counters : entry.counters;
    const start = { key: entry.key, shape: entry.like.shape, count: entry.count, counters };
    this.#dependencies ??= dependenciesOf(optimizer, momentOf(options, start), options);
    const name = tableName(start, this.#dependencies, options);
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const isSteady = !this.#dependencies.count && !this.#dependencies.counters;
    const number = this.#free.pop() ?? this.#tables.size;
    const numbers = tableFrom(start, isSteady ? 1 : rowsAhead, this.#inForce!);
    const table = { name, number, isSteady, users: 0, ...numbers };
    this.#tables.set(name, table);
    this.#engine.setHyper(number, table);
    return table;
  }
}

interface Table {
  readonly name: string;
  readonly number: number;
  /** Keys that go by it. */
  users: number;
  /** Whether its one row holds for every update. */
  readonly isSteady: boolean;
  /** Updates made before that of the first row. */
  readonly first: number;
  readonly width: number;
  readonly values: Float64Array;
  readonly step: Step;
  /** Before the first row, and after each. */
  readonly counters: readonly Counters[];
}

/** Whether it has the hyper-parameters of the update after `count` others. */
function covers({ isSteady, first, values, width }: Table, count: number): boolean {
  return isSteady || count - first < values.length / width;
}

type Start = Parameters<typeof momentOf>[1];

function keyHyper({ number, step, counters, first }: Table): KeyHyper {
  // One row holds for all updates: there are no counters then.
  return { table: number, step, countersAt: (count) => counters[count - first] ?? {} };
}

/** Says which keys share a table. */
function tableName(start: Start, uses: Dependencies, options: CommonOptions): string {
  const { key, shape, count, counters } = start;
  return JSON.stringify([
    factorOf(options.lrMult, key),
    factorOf(options.wdMult, key),
    uses.count || uses.counters ? count : 0,
    uses.counters ? counters : 0,
    uses.shape ? shape : 0,
    uses.key ? key : 0,
  ]);
}

function tableFrom(start: Start, rows: number, { optimizer, options }: OptimizerInForce) {
  const steps: Step[] = [];
  const counters: Counters[] = [start.counters];
  for (let row = 0; row < rows; row++) {
    const moment = momentOf(options, {
      ...start,
      count: start.count + row,
      counters: counters[row]!,
    });
    const step = optimizer.step(options, moment);
    steps.push(step);
    counters.push(step.counters ?? {});
  }
  const hypers = steps.map((step) => hyperOf(options, step, 1));
  const width = hypers[0]!.length;
  const values = new Float64Array(rows * width);
  hypers.forEach((hyper, row) => values.set(hyper, row * width));
  return { first: start.count, width, values, step: steps[0]!, counters };
}

/** Finds out what `optimizer` looks at, by looking on. */
function dependenciesOf(
  optimizer: Optimizer,
  moment: Moment,
  options: CommonOptions,
): Dependencies {
  const seen = { count: false, counters: false, shape: false, key: false };
  const see = <T>(name: keyof typeof seen, value: T): T => {
    seen[name] = true;
    return value;
  };
  optimizer.step(options, {
    wd: moment.wd,
    get lr() {
      return options.schedule === undefined ? moment.lr : see('count', moment.lr);
    },
    get count() {
      return see('count', moment.count);
    },
    get counters() {
      return see('counters', moment.counters);
    },
    get shape() {
      return see('shape', moment.shape);
    },
    get key() {
      return see('key', moment.key);
    },
  });
  return seen;
}
