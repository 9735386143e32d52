import type { Operation } from '../../src/history/operation.js';
import type { Random } from './random.js';

/** Ways in which a store can be wrong. */
export const storeFaults = [
  'no lock',
  'acknowledge before apply',
  'stale read',
  'double apply',
  'dropped push',
  'torn copy',
  'lost update',
  'count instead of identity',
] as const;
export type StoreFault = (typeof storeFaults)[number];

/** What is simulated. */
export interface SimulationOptions {
  readonly devices: number;
  /** Operations of each device. */
  readonly operations: number;
  readonly isSync?: boolean;
  /** What the store does wrong now and then. */
  readonly fault?: StoreFault | undefined;
  /** Whether devices may end in the middle of an operation. */
  readonly mayDie?: boolean;
}

type Draft = { -readonly [Name in keyof Operation]: Operation[Name] } & {
  stage: number;
  isApplied: boolean;
  base: number[];
};

/**
 * One key of a store that adds, in virtual time: devices push and pull, and every call is made of steps
 * that mix in a random order. The history is that of a right store unless it has a fault.
 */
export function simulate(random: Random, options: SimulationOptions): Operation[] {
  return new SimulatedStore(random, options).run();
}

class SimulatedStore {
  readonly #random: Random;
  readonly #options: SimulationOptions;
  readonly #history: Draft[] = [];
  readonly #open: Draft[] = [];
  #arrived: Draft[] = [];
  #state: number[];
  #previous: number[];
  #nowNs = 0;

  constructor(random: Random, options: SimulationOptions) {
    this.#random = random;
    this.#options = options;
    this.#state = new Array<number>(options.devices + 1).fill(0);
    this.#previous = this.#state;
  }

  run(): Operation[] {
    const { devices, operations, mayDie = false } = this.#options;
    const left = new Array<number>(devices).fill(operations);
    for (;;) {
      this.#nowNs += this.#random.integer(3);
      const callers = left.flatMap((count, device) =>
        count > 0 && this.#outstanding(device) < this.#depth ? [device] : [],
      );
      const ready = this.#open.filter((draft) => this.#mayGoOn(draft));
      if (callers.length + ready.length === 0) break;
      if (mayDie && this.#random.chance(0.02)) break; // All of them, wherever they are.
      if (callers.length > 0 && (ready.length === 0 || this.#random.chance(0.4))) {
        const device = this.#random.pick(callers);
        left[device]! -= 1;
        this.#call(device);
      } else this.#goOn(this.#random.pick(ready));
    }
    return this.#history.map(({ stage: _s, isApplied: _a, base: _b, ...operation }) => operation);
  }

  /** A device may call again before its last call is answered. */
  get #depth(): number {
    return 2;
  }

  #outstanding(device: number): number {
    return this.#open.filter((draft) => draft.device === device).length;
  }

  #call(device: number): void {
    const kind = this.#random.chance(0.5) ? 'push' : 'pull';
    const before = this.#history.filter((each) => each.device === device && each.kind === 'push');
    const draft: Draft = {
      device,
      kind,
      key: 0,
      callNs: this.#nowNs,
      endNs: Infinity,
      outcome: 'unknown',
      number: before.length + (kind === 'push' ? 1 : 0),
      version: undefined,
      seen: new Float32Array(0),
      isTorn: false,
      stage: 0,
      isApplied: false,
      base: [],
    };
    this.#history.push(draft);
    this.#open.push(draft);
  }

  #mayGoOn(draft: Draft): boolean {
    const own = this.#open.filter(({ device }) => device === draft.device);
    const before = own.slice(0, own.indexOf(draft));
    if (draft.kind === 'push' && this.#options.isSync === true) {
      return draft.stage === 0 ? before.every(({ stage }) => stage > 0) : draft.isApplied;
    }
    return before.every(({ isApplied, seen }) => isApplied || seen.length > 0);
  }

  #goOn(draft: Draft): void {
    if (draft.kind === 'pull') this.#pull(draft);
    else if (this.#options.isSync === true) this.#pushToRound(draft);
    else this.#push(draft);
    draft.stage += 1;
  }

  #answer(draft: Draft): void {
    draft.endNs = this.#nowNs;
    draft.outcome = 'done';
    if (draft.isApplied || draft.kind === 'pull') this.#open.splice(this.#open.indexOf(draft), 1);
  }

  #apply(draft: Draft): void {
    draft.isApplied = true;
    const { fault } = this.#options;
    if (fault === 'dropped push' && this.#random.chance(0.1)) return;
    this.#add(draft.device, fault === 'double apply' && this.#random.chance(0.1) ? 2 : 1);
  }

  #add(device: number, times: number): void {
    this.#previous = this.#state;
    this.#state = [...this.#state];
    this.#state[device]! += times;
    this.#state[this.#options.devices]! += times;
  }

  #push(draft: Draft): void {
    const { fault, devices } = this.#options;
    const { stage } = draft;
    if (fault === 'acknowledge before apply') {
      if (stage === 0) this.#answer(draft);
      else {
        this.#apply(draft);
        this.#open.splice(this.#open.indexOf(draft), 1);
      }
    } else if (fault === 'lost update' && stage === 0) draft.base = this.#state;
    else if (fault === 'lost update' && stage === 1) {
      this.#state = draft.base;
      this.#apply(draft);
    } else if (fault === 'no lock' && stage < 4) {
      const element = stage < 2 ? draft.device : devices;
      if (stage % 2 === 0) draft.base = [this.#state[element]!];
      else this.#state = this.#state.with(element, draft.base[0]! + 1);
      draft.isApplied = stage === 3;
    } else if (!draft.isApplied) this.#apply(draft);
    else this.#answer(draft);
  }

  #pushToRound(draft: Draft): void {
    if (draft.stage > 0) return this.#answer(draft);
    this.#arrived.push(draft);
    for (let round = this.#nextRound(); round.length > 0; round = this.#nextRound()) {
      for (const each of round) this.#apply(each);
      this.#arrived = this.#arrived.filter((each) => !round.includes(each));
    }
  }

  /** The pushes that make a round now, none where some are missing. */
  #nextRound(): Draft[] {
    const { devices, fault } = this.#options;
    if (fault === 'count instead of identity') {
      return this.#arrived.length < devices ? [] : this.#arrived.slice(0, devices);
    }
    const firsts = Array.from({ length: devices }, (_, device) =>
      this.#arrived.find((each) => each.device === device),
    );
    return firsts.every((each) => each !== undefined) ? firsts : [];
  }

  #pull(draft: Draft): void {
    const { fault } = this.#options;
    if (fault === 'torn copy' && draft.stage === 0) {
      draft.base = this.#state;
      return;
    }
    if (draft.seen.length > 0) return this.#answer(draft);
    const isStale = fault === 'stale read' && this.#random.chance(0.3);
    draft.seen = Float32Array.from(isStale ? this.#previous : this.#state);
    draft.isTorn = fault === 'torn copy' && draft.base.some((each, i) => each !== draft.seen[i]);
  }
}
