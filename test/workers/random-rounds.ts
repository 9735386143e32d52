import { setImmediate as turn } from 'node:timers/promises';
import { defineWorker, tensor, zeros, type KVStore, type Tensor } from '../../src/index.js';
import type { DType, TensorData } from '../../src/core/dtypes.js';
import { Random } from '../helpers/random.js';
import {
  digest,
  initialOf,
  planOf,
  valuesOf,
  type Plan,
  type PlannedKey,
} from '../planes/rounds.js';

interface Args {
  readonly seed: number;
  readonly schedules: number;
}

/** A pull of a device: the schedule and key, the version that it was of, a digest of what it gave. */
export type Seen = readonly [schedule: number, key: number, version: number, digest: number];

const asTensor = (data: TensorData, dtype: DType): Tensor =>
  tensor(data, { dtype: dtype as 'float32' });

/** One device's part of one schedule. */
class Device {
  readonly seen: Seen[] = [];
  readonly #kv: KVStore;
  readonly #plan: Plan;
  readonly #schedule: number;
  readonly #random: Random;
  readonly #calls: Promise<unknown>[] = [];
  readonly #pushed: number[];

  constructor(kv: KVStore, plan: Plan, schedule: number) {
    this.#kv = kv;
    this.#plan = plan;
    this.#schedule = schedule;
    this.#random = new Random(plan.seed * 31 + kv.rank + 1);
    this.#pushed = plan.keys.map(() => 0);
  }

  async run(): Promise<void> {
    const { keys, rule } = this.#plan;
    const values = keys.map((each) => asTensor(initialOf(this.#plan, each), each.dtype));
    if (this.#kv.rank === 0) {
      if (rule === undefined) await this.#kv.setUpdater(undefined);
      else await this.#kv.setOptimizer(rule);
    }
    await this.#kv.init(
      keys.map(({ key }) => key),
      values,
    );
    await this.#kv.barrier();
    if (this.#plan.isLockstep) await this.#inLockstep();
    else await this.#freely();
    this.#pullAll();
    await Promise.all(this.#calls);
    await this.#kv.barrier();
  }

  /** All devices go through the keys in one order, and wait each in a way of its own. */
  async #inLockstep(): Promise<void> {
    const { keys, rounds, seed } = this.#plan;
    const common = new Random(seed + 1);
    for (let round = 0; round < rounds; round++) {
      for (let left = keys.map((_, k) => k); left.length > 0;) {
        const call = common.shuffled(left).slice(0, 1 + common.integer(left.length));
        left = left.filter((k) => !call.includes(k));
        await this.#delay();
        const blocks = this.#random.chance(0.5);
        const done = this.#pushPull(call, blocks);
        if (!blocks) await done;
      }
    }
  }

  /**
   * Pushes of later rounds may come before those of others to earlier ones. Nothing is awaited. A
   * pushpull has one key: in lists of several orders devices would wait for each other for ever.
   */
  async #freely(): Promise<void> {
    const { keys, rounds } = this.#plan;
    for (;;) {
      const left = keys.flatMap((_, k) => (this.#pushed[k]! < rounds ? [k] : []));
      if (left.length === 0) return;
      await this.#delay();
      const call = this.#random.shuffled(left).slice(0, 1 + this.#random.integer(left.length));
      const dice = this.#random.next();
      if (dice < 0.4) this.#push(call);
      else if (dice < 0.8) this.#calls.push(this.#pushPull(call.slice(0, 1), false));
      else this.#pull(call, this.#random.chance(0.3));
    }
  }

  async #delay(): Promise<void> {
    for (let turns = this.#random.integer(4) - 1; turns > 0; turns--) await turn();
  }

  #push(call: readonly number[]): void {
    const values = call.map((k) => this.#next(k));
    this.#calls.push(this.#kv.push(this.#names(call), values, this.#order()));
  }

  #pushPull(call: readonly number[], blocks: boolean): Promise<void> {
    const values = call.map((k) => this.#next(k));
    const out = this.#outs(call);
    const versions = call.map((k) => this.#pushed[k]!);
    const options = { out, ...this.#order() };
    const names = this.#names(call);
    const note = (): void => out.forEach((each, i) => this.#see(call[i]!, versions[i]!, each.data));
    if (!blocks) return this.#kv.pushpull(names, values, options).then(note);
    this.#kv.pushpullSync(names, values, options);
    note();
    return Promise.resolve();
  }

  #pull(call: readonly number[], view: boolean): void {
    const names = this.#names(call);
    const versions = call.map((k) => this.#pushed[k]!);
    const pulled: Promise<readonly Tensor[]> = view
      ? this.#kv.pull(names, { view: true })
      : this.#kv.pull(names);
    const note = async (got: readonly Tensor[]): Promise<void> => {
      await this.#delay(); // A view shows its version, whatever comes after it.
      got.forEach((each, i) => {
        this.#see(call[i]!, versions[i]!, each.data);
        if ('release' in each) (each as { release(): void }).release();
      });
    };
    this.#calls.push(pulled.then(note));
  }

  /** Blocks until all rounds are done. */
  #pullAll(): void {
    const all = this.#plan.keys.map((_, k) => k);
    const out = this.#outs(all);
    this.#kv.pullSync(this.#names(all), { out });
    out.forEach((each, k) => this.#see(k, this.#plan.rounds, each.data));
  }

  #next(k: number): Tensor[] {
    const key = this.#plan.keys[k]!;
    const round = this.#pushed[k]!;
    this.#pushed[k] = round + 1;
    return valuesOf(this.#plan, key, this.#kv.rank, round).map((data) => asTensor(data, key.dtype));
  }

  #outs(call: readonly number[]): Tensor[] {
    const out = ({ length, dtype }: PlannedKey): Tensor =>
      zeros(length, { dtype: dtype as 'float32' });
    return call.map((k) => out(this.#plan.keys[k]!));
  }

  #names(call: readonly number[]): number[] {
    return call.map((k) => this.#plan.keys[k]!.key);
  }

  #order(): { priority?: number } {
    return this.#random.chance(0.2) ? { priority: this.#random.integer(3) - 1 } : {};
  }

  #see(k: number, version: number, data: TensorData): void {
    this.seen.push([this.#schedule, k, version, digest(data)]);
  }
}

/** Takes part in many schedules, one after another. */
export default defineWorker<Args, readonly Seen[]>(async ({ kv, args: { seed, schedules } }) => {
  const seen: Seen[] = [];
  for (let schedule = 0; schedule < schedules; schedule++) {
    const plan = planOf(seed, schedule);
    const device = new Device(kv, plan, schedule);
    await device.run();
    seen.push(...device.seen);
  }
  return seen;
});
