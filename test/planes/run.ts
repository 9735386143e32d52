import { onHost } from '../../src/core/elements.js';
import { arrayOf } from '../../src/core/tensor.js';
import type { KVStore, RowSparseTensor, Tensor, TensorView, Updater } from '../../src/index.js';
import type { Group } from '../helpers/groups.js';
import { program as moduleAt } from '../helpers/workers.js';
import { Materials, type KeyCall } from './materials.js';
import { codeOf, readingOf, rowReadings, type Outcome, type Reading } from './outcomes.js';
import {
  firstKeys,
  isOneByOne,
  keyCount,
  rules,
  type Program,
  type Rule,
  type Step,
} from './program.js';
import { ofOtherDtype, Pool, someRows, type Place } from './tensors.js';

/** A view that is held; `call` and `index` say of which pull. */
interface HeldView {
  readonly view: TensorView;
  readonly key: number;
  readonly call: number;
  readonly index: number;
  /** Whether a call that may be under way reads it. */
  isUsed: boolean;
}

/** How a program is run on a group. */
export interface ProgramPlace {
  /** Its keys are those from here on, which the group does not have. */
  readonly base: number;
  /** Whether calls that are to block do so; else they are awaited. */
  readonly mayBlock: boolean;
  /** Where its tensors live. */
  readonly place: Place;
}

/** Keys that exist from the start and are not stored row-sparse, and no large one. */
const listedAgain = [0, 1, 2, 3, 4, 6];

const addTwice: Updater = (_, input, stored) => void stored.add_(input, 2);
const refuseLarge: Updater = (_, input, stored) => {
  if (elementsOf(input).some((x) => Math.abs(Number(x)) > 1e7)) throw new Error('too large');
  stored.add_(input);
};
const updaters = {
  assign: undefined,
  function: addTwice,
  picky: refuseLarge,
  module: moduleAt('updater-add'),
};

/**
 * Carries out one program on a group. All that it writes down is the same in every interleaving that
 * the store allows: the devices of a synchronous store issue calls on any keys, and when they settle,
 * those that have pushed less often to a key than others catch up; a key of an asynchronous store is
 * one device's between two such moments.
 */
export class ProgramRun {
  readonly #outcomes: Outcome[] = [];
  readonly #stores: readonly KVStore[];
  readonly #mayBlock: boolean;
  readonly #program: Program;
  readonly #base: number;
  readonly #materials: Materials;
  readonly #place: Place;
  readonly #open = new Set<Promise<unknown>>();
  readonly #exists = new Set<number>();
  /** Pushes that count towards rounds, by device and key. */
  readonly #pushes: number[][];
  readonly #views: HeldView[] = [];
  #newViews: HeldView[] = [];
  #rule: Rule = { kind: 'assign' };
  #isCompressing = false;
  #epoch = 0;

  constructor({ stores }: Group, program: Program, { base, mayBlock, place }: ProgramPlace) {
    this.#stores = stores;
    this.#mayBlock = mayBlock;
    this.#program = program;
    this.#base = base;
    this.#materials = new Materials(program, place);
    this.#place = place;
    this.#pushes = stores.map(() => Array.from({ length: keyCount }, () => 0));
  }

  /** Everything that came of the program. */
  async run(): Promise<readonly Outcome[]> {
    const { rule, steps } = this.#program;
    const { updates } = this.#leader.stats();
    await this.#setRule(rules[rule % rules.length]!);
    this.#init(Array.from({ length: firstKeys }, (_, key) => key));
    await this.#settle();
    for (const step of steps) await this.#step(step);
    await this.#finish();
    this.#note('updates', String(this.#leader.stats().updates - updates));
    return this.#outcomes;
  }

  get #leader(): KVStore {
    return this.#stores[0]!;
  }

  get #isAsyncGroup(): boolean {
    return this.#stores.length > 1 && this.#program.type === 'dist_async';
  }

  get #isOneByOne(): boolean {
    return isOneByOne(this.#program);
  }

  /** Whether devices wait for each other's pushes. */
  get #isTogether(): boolean {
    return this.#stores.length > 1 && this.#program.type !== 'dist_async';
  }

  async #step(step: Step): Promise<void> {
    const device = step.device % this.#stores.length;
    switch (step.operation) {
      case 'settle':
        return this.#settle();
      case 'yield':
        return nextTurn();
      case 'barrier':
        for (const each of this.#stores) void this.#watch('barrier', each.barrier());
        return undefined;
      case 'init': // No call that comes from another device before rank 0's may find the keys.
        if (this.#stores.length > 1) await this.#settle();
        return this.#init(step.keys);
      case 'release':
        return this.#release(step.device);
      case 'rule':
        return this.#changeRule(step);
      case 'hyper':
        return this.#changeHyper(step.device);
      case 'compression':
        return this.#changeCompression(step.device);
      case 'blocking':
        return this.#blockingRound(step);
      case 'again':
        return this.#again(step);
      case 'wrong':
        return this.#wrong(this.#stores[device]!, step);
      case 'average':
        if (this.#stores.length > 1) return undefined;
        return this.#read(this.#leader, step.keys, { average: true });
      case 'rows':
        return this.#rows(device, step);
      case 'pushView':
        return this.#pushView(device, step);
      default: {
        const keys = step.keys.filter((key) => this.#owns(device, key));
        if (keys.length === 0) return undefined;
        if (keys.length > 1 && this.#needsAll(step)) return this.#together(keys, step);
        return this.#issue(device, this.#materials.call(device, keys, step), step);
      }
    }
  }

  /** Whether a device may use a key now. */
  #owns(device: number, key: number): boolean {
    return !this.#isAsyncGroup || (key + this.#epoch) % this.#stores.length === device;
  }

  /** Issues a call, in a blocking way where that is asked for and can end. */
  async #issue(device: number, call: KeyCall, { awaits, blocks }: Step): Promise<void> {
    const runsHere = this.#rule.kind === 'function' || this.#rule.kind === 'picky';
    const canBlock = !this.#isTogether && (device === 0 || !runsHere);
    const ended = this.#start(device, call, blocks && canBlock);
    if ((awaits || blocks) && !this.#isTogether) await ended;
  }

  /**
   * Whether all devices have to make the same call on a list: where it pushes and pulls, since lists of
   * several orders would wait for ever; and where pushes are applied one by one but lists as a whole,
   * since which of two devices is first at a key would hang on when they come to the other keys.
   */
  #needsAll({ operation }: Step): boolean {
    if (!this.#isTogether || operation === 'pull' || operation === 'view') return false;
    if (operation !== 'push') return true;
    const rule = this.#rule;
    if (!this.#isOneByOne || rule.kind !== 'optimizer') return false;
    return rule.spec.options.clipGlobalNorm !== undefined;
  }

  async #together(keys: readonly number[], step: Step): Promise<void> {
    await this.#settle();
    for (const device of this.#stores.keys()) {
      await this.#issue(device, this.#materials.call(device, keys, step), step);
    }
  }

  #start(device: number, call: KeyCall, blocks: boolean): Promise<unknown> {
    const { method, keys, values, outs, options } = call;
    if (this.#counts(call)) for (const key of new Set(keys)) this.#pushes[device]![key]! += 1;
    const names = keys.map((key) => this.#name(key));
    const args: unknown[] = values === undefined ? [names] : [names, values];
    args.push(outs === undefined ? options : { ...options, out: outs });
    const kv = this.#stores[device] as unknown as Record<string, (...args: unknown[]) => unknown>;
    const done =
      blocks && this.#mayBlock
        ? new Promise((resolve) => resolve(kv[`${method}Sync`]!(...args)))
        : (kv[method]!(...args) as Promise<unknown>);
    const number = this.#outcomes.length;
    return this.#watch(`${method} ${keys.join()} of ${device}`, done, (got) => {
      if (method !== 'pull' || outs !== undefined) return [];
      return (got as Tensor[]).map((each, index) => {
        const key = keys[index]!;
        if (options.view !== true) return readingOf(String(key), each);
        const view = each as TensorView;
        this.#newViews.push({ view, key, call: number, index, isUsed: false });
        return readingOf(`${key} version ${view.version}`, view.elements());
      });
    });
  }

  /** Whether rounds count a call's pushes: one that is refused counts for nothing. */
  #counts({ method, keys, values = [], outs }: KeyCall): boolean {
    if (method === 'pull' || keys.some((key) => !this.#exists.has(key))) return false;
    const isDense = values.flat().every((each) => 'data' in each);
    if (!isDense && method === 'pushpull' && outs === undefined) return false;
    if (!this.#isCompressing) return true;
    return isDense && keys.every((key) => this.#materials.kind(key).dtype === 'float32');
  }

  /** All devices but one push; the last one blocks until the round is done. */
  async #blockingRound({ device, keys, picks, priority }: Step): Promise<void> {
    if (!this.#isTogether) return;
    await this.#settle();
    const known = keys.filter(
      (key) => this.#exists.has(key) && !this.#materials.kind(key).isSparse,
    );
    if (known.length === 0) return;
    const call = (each: number): KeyCall => ({
      method: 'pushpull',
      keys: known,
      values: known.map((key) => [this.#materials.ofKey(each, key, picks[0]!)]),
      outs: known.map((key) => [this.#materials.ofKey(each, key, picks[1]! % 4)]),
      options: { priority },
    });
    const runsHere = this.#rule.kind === 'function' || this.#rule.kind === 'picky';
    const last = runsHere ? 0 : device % this.#stores.length;
    for (let each = 0; each < this.#stores.length; each++) {
      if (each !== last) void this.#start(each, call(each), false);
    }
    await nextTurn(); // They are on their way.
    await this.#start(last, call(last), true);
    await this.#settle();
  }

  /** The same list of all devices, until the engine knows it and does it as a whole. */
  async #again(step: Step): Promise<void> {
    if (this.#isOneByOne) return;
    for (let times = 3 + step.picks[0]!; times > 0; times--) {
      await this.#settle();
      for (const device of this.#stores.keys()) {
        await this.#issue(device, this.#materials.again(device, listedAgain), step);
      }
    }
  }

  /** A call that must fail, and change nothing. */
  #wrong(kv: KVStore, { device, picks, keys }: Step): void {
    const own = new Pool('wrong', this.#program.seed, this.#place);
    const unknown = this.#name(keyCount + 1);
    const key = this.#name(keys[0]!);
    const like = this.#materials.kind(keys[0]!);
    const good = own.get(1, like);
    const longer = own.get(1, { ...like, shape: [...like.shape, 2] });
    const rows = someRows({ ...like, shape: [6, 2] }, picks, 1, this.#place);
    const calls: readonly (() => Promise<unknown>)[] = [
      () => kv.push(unknown, good),
      () => kv.push([key, unknown], [good, good]),
      () => kv.push(key, longer),
      () => kv.pull(key, { out: longer }),
      () => kv.push(key, good, { priority: NaN }),
      () => kv.push(key, ofOtherDtype(like, picks[0]!)),
      () => kv.push([key, key], [good, rows]),
      () => kv.pull([key, typeof key === 'number' ? 'stranger' : 3]),
      () => kv.pushpull([key], [[]]),
    ];
    const which = (device + picks[1]! * 4) % calls.length;
    void this.#watch(`wrong ${which} ${keys[0]}`, calls[which]!());
  }

  /** Pushes some rows of a key, or asks for some. */
  async #rows(device: number, step: Step): Promise<void> {
    const { picks, priority } = step;
    const key = [4, 5, 10, 11][step.keys[0]! % 4]!;
    if (!this.#owns(device, key)) return undefined;
    if (picks[0]! < 3) {
      const values = [[this.#materials.rows(key, picks)]];
      return this.#issue(device, { method: 'push', keys: [key], values, options: {} }, step);
    }
    const rowIds = picks.map((pick) => pick % 7);
    const asked = { ...(picks[1]! > 4 ? {} : { rowIds }), priority };
    const pulled = this.#stores[device]!.pullRows(this.#name(key), asked);
    void this.#watch(`pullRows ${key} of ${device}`, pulled, (got) =>
      rowReadings(String(key), got as RowSparseTensor),
    );
  }

  async #pushView(device: number, step: Step): Promise<void> {
    const held = this.#views.find(({ key }) => this.#owns(device, key));
    if (held === undefined) return undefined;
    held.isUsed = true;
    const { view, key } = held;
    const values = [step.picks[0]! < 3 ? [view] : [view, view]];
    return this.#issue(device, { method: 'push', keys: [key], values, options: {} }, step);
  }

  #release(which: number): void {
    const free = this.#views.filter(({ isUsed }) => !isUsed);
    const held = free[which % (free.length + 1)];
    if (held === undefined) return;
    this.#views.splice(this.#views.indexOf(held), 1);
    this.#note(`release ${held.key}`, 'ok', [readingOf('view', held.view.elements())]);
    held.view.release();
  }

  #init(keys: readonly number[]): void {
    const isNew = keys.every((key, i) => !this.#exists.has(key) && keys.indexOf(key) === i);
    const names = keys.map((key) => this.#name(key));
    for (const kv of this.#stores.toReversed()) {
      const values = keys.map((key) => this.#materials.initial(kv.rank, key));
      void this.#watch(`init ${keys.join()} of ${kv.rank}`, kv.init(names, values));
    }
    if (isNew) for (const key of keys) this.#exists.add(key);
  }

  /** Rank 0's setting counts. Pushes that are applied one by one go by what is in force then. */
  async #changeRule({ picks, awaits }: Step): Promise<void> {
    const rule = rules[(picks[0]! * 6 + picks[1]!) % rules.length]!;
    if (this.#isOneByOne) await this.#settle();
    const done = this.#setRule(rule);
    if (this.#isOneByOne || (awaits && this.#stores.length === 1)) await done;
  }

  #setRule(rule: Rule): Promise<unknown> {
    // A store that applies them one by one refuses pushes that are to replace.
    const isRefused = rule.kind === 'assign' && this.#isOneByOne;
    this.#rule = isRefused ? { kind: 'function' } : rule;
    if (rule.kind === 'optimizer') {
      return this.#watch(`set ${rule.spec.name}`, this.#leader.setOptimizer(rule.spec));
    }
    const updater = updaters[(this.#rule as { kind: keyof typeof updaters }).kind];
    return this.#watch(`set ${rule.kind}`, this.#leader.setUpdater(updater));
  }

  async #changeHyper(which: number): Promise<void> {
    await this.#settle();
    try {
      const { optimizer } = this.#leader;
      if (which === 0) optimizer.lr = 0.05;
      else if (which === 1) optimizer.wd = 0.125;
      else if (which === 2) optimizer.lrMult = { [this.#name(0)]: 2, [this.#name(4)]: 0.5 };
      else optimizer.clipGradient = 0.5;
      this.#note('hyper', 'ok');
    } catch (error) {
      this.#note('hyper', codeOf(error));
    }
    if (this.#isOneByOne) await this.#leader.flush();
  }

  async #changeCompression(which: number): Promise<void> {
    await this.#settle();
    const type = which === 1 ? '2bit' : '1bit';
    const spec = which === 0 ? undefined : ({ type, threshold: 0.5 } as const);
    await this.#watch('compression', this.#leader.setGradientCompression(spec));
    this.#isCompressing = spec !== undefined && this.#program.type !== 'local';
  }

  /** Waits for all calls. */
  async #settle(): Promise<void> {
    if (this.#isTogether) this.#complete();
    await Promise.all(this.#open);
    for (const each of this.#views) each.isUsed = false;
    this.#newViews.sort((a, b) => a.call - b.call || a.index - b.index);
    this.#views.push(...this.#newViews);
    this.#newViews = [];
    this.#epoch += 1;
  }

  /** Devices that have pushed less often to a key than others catch up. */
  #complete(): void {
    for (let key = 0; key < keyCount; key++) {
      const most = Math.max(...this.#pushes.map((counts) => counts[key]!));
      for (const [device, counts] of this.#pushes.entries()) {
        for (; counts[key]! < most; counts[key]! += 1) {
          const values = this.#materials.completing(device, key);
          const push = this.#stores[device]!.push(this.#name(key), values);
          void this.#watch(`completing push ${key} of ${device}`, push);
        }
      }
    }
  }

  async #finish(): Promise<void> {
    await this.#settle();
    const keys = [...this.#exists];
    const dense = keys.filter((key) => this.#materials.kind(key).isSparse !== true);
    await this.#read(this.#stores.at(-1)!, keys, {});
    await this.#read(this.#leader, dense, { view: true });
    for (const [name, readings] of this.#materials.readings()) this.#note(name, 'ok', readings);
    for (const { view } of this.#views) view.release();
    await this.#leader.setUpdater(undefined);
    if (this.#isCompressing) await this.#leader.setGradientCompression(undefined);
  }

  async #read(
    kv: KVStore,
    keys: readonly number[],
    options: { readonly view?: true; readonly average?: true },
  ): Promise<void> {
    const pulled = kv.pull(
      keys.map((key) => this.#name(key)),
      options as object,
    );
    await this.#watch(`read ${keys.join()} of ${kv.rank}`, pulled, (got) =>
      (got as Tensor[]).map((each, i) => {
        if (options.view !== true) return readingOf(String(keys[i]), each);
        const view = each as TensorView;
        const reading = readingOf(`${keys[i]} version ${view.version}`, view.elements());
        view.release();
        return reading;
      }),
    );
  }

  #note(what: string, state: string, readings: readonly Reading[] = []): void {
    this.#outcomes.push({ what, state, readings });
  }

  /** Writes down what comes of a call, where it was issued. The promise never rejects. */
  #watch(
    what: string,
    call: Promise<unknown>,
    read: (got: unknown) => readonly Reading[] = () => [],
  ): Promise<unknown> {
    const outcome: Outcome = { what, state: 'open', readings: [] };
    this.#outcomes.push(outcome);
    const ended = call.then(
      (got) => {
        outcome.state = 'ok';
        outcome.readings = read(got);
      },
      (error: unknown) => void (outcome.state = codeOf(error)),
    );
    this.#open.add(ended);
    return ended.finally(() => this.#open.delete(ended));
  }

  #name(key: number): number | string {
    return this.#program.type === 'device' ? `k${this.#base + key}` : this.#base + key;
  }
}

function elementsOf(tensor: Tensor): (number | bigint)[] {
  return Array.from<number | bigint>(onHost(arrayOf(tensor)) as Float32Array);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
