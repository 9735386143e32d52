import { tensor, zeros, type KVStore, type Tensor } from '../../src/index.js';
import { InlineGroup, watch, type Watched } from '../helpers/inline-group.js';
import { isReplay, type Random } from '../helpers/random.js';
import { randomTest } from '../helpers/random-test.js';
import { firstDifference, sgdOptions, type Rule } from '../store/model.js';
import { GroupModel, type ModelCall } from './group-model.js';

// Calls that fail are a part of schedules, and their stacks take a tenth of the time: a replay has them.
if (!isReplay) Error.stackTraceLimit = 0;

const length = 2;
const keyCount = 2;
const runRules: readonly Rule[] = ['assign', 'sgd', 'momentum'];

/** A call as the store has it, beside the model's. */
interface Issued {
  readonly call: ModelCall;
  readonly outs: readonly Tensor[];
  readonly state: Watched;
  version: number | undefined;
}

/**
 * Devices issue random calls, the coordinator takes one message after another, in any order of the
 * devices, and devices die between any two of them. The model gets the same messages in the same order.
 */
class Simulation {
  readonly #group: InlineGroup;
  readonly #random: Random;
  readonly #model: GroupModel;
  readonly #issued: Issued[] = [];
  /** Calls of each rank that the coordinator has not taken. */
  readonly #waiting: ModelCall[][];
  readonly #dead = new Set<number>();

  constructor(group: InlineGroup, random: Random, model: GroupModel) {
    this.#group = group;
    this.#random = random;
    this.#model = model;
    this.#waiting = group.stores.map(() => []);
  }

  async run(steps: number): Promise<void> {
    const ranks = this.#group.stores.map((_, rank) => rank);
    for (let i = 0; i < steps; i++) {
      const rank = this.#random.pick(ranks);
      const dice = this.#random.next();
      if (dice < 0.45) this.#issue(rank);
      else if (dice < 0.96) await this.#step(rank);
      else if (this.#dead.size < ranks.length - 1 && !this.#dead.has(rank)) await this.#kill(rank);
    }
    for (const rank of ranks) while (await this.#step(rank));
  }

  /** The first thing in which the store differs from the model. */
  async differs(): Promise<string | undefined> {
    for (const [i, { call, outs, state, version }] of this.#issued.entries()) {
      if (this.#dead.has(call.rank)) continue;
      const code =
        state.settled === 'rejected' ? (state.error as { code: string }).code : undefined;
      const real = code ?? (state.settled === 'resolved' ? 'done' : 'open');
      const what = `call ${i} of rank ${call.rank} on ${call.keys.join()}`;
      if (real !== call.state) return `${what}: ${real}, not ${call.state}`;
      for (const [k, key] of call.keys.entries()) {
        const seen = call.seen.get(key);
        if (call.state !== 'done' || seen === undefined) continue;
        if (firstDifference(outs[k]!.data, seen.elements) >= 0) return `${what}: another version`;
        if ((version ?? seen.version) !== seen.version) return `${what}: version ${version}`;
      }
    }
    return this.#stored();
  }

  /** After the last deadline nobody waits. */
  async leavesOpen(): Promise<number> {
    await this.#group.passAllDeadlines();
    await this.#group.drain();
    return this.#issued.filter(
      ({ call, state }) => state.settled === 'no' && !this.#dead.has(call.rank),
    ).length;
  }

  async #stored(): Promise<string | undefined> {
    const rank = this.#group.stores.findIndex((_, each) => !this.#dead.has(each));
    if (this.#waiting[rank]!.length > 0) return 'messages were left';
    if (this.#issued.some(({ call }) => call.rank === rank && call.state === 'open'))
      return undefined;
    const views = await this.#group.finish(this.#group.stores[rank]!.pull([0, 1], { view: true }));
    for (const [key, view] of views.entries()) {
      const { stored, version } = this.#model.keys[key]!;
      if (view.version !== version) return `key ${key}: version ${view.version}, not ${version}`;
      if (firstDifference(view.data, stored.stored) >= 0) return `key ${key}: other bits`;
    }
    return undefined;
  }

  async #step(rank: number): Promise<boolean> {
    const stepped = await this.#group.step(rank);
    const call = this.#waiting[rank]!.shift();
    if (call !== undefined) this.#model.arrive(call);
    if (stepped !== (call !== undefined)) throw new Error('a message is not a call');
    return stepped;
  }

  async #kill(rank: number): Promise<void> {
    await this.#group.depart(rank, 'a fault');
    this.#dead.add(rank);
    this.#model.die(rank);
  }

  #issue(rank: number): void {
    if (this.#dead.has(rank)) return;
    const dice = this.#random.next();
    const keys = this.#random.pick([[0], [1], [0, 1]]);
    const values = keys.map(() =>
      Array.from({ length: 1 + this.#random.integer(2) }, () =>
        Array.from({ length }, () => Math.fround(this.#random.float())),
      ),
    );
    const call: ModelCall = {
      rank,
      keys,
      values: dice < 0.7 ? values : undefined,
      pulls: dice >= 0.35,
      state: 'open',
      seen: new Map(),
      openPushes: 0,
      openPulls: 0,
      hasFailed: false,
    };
    this.#waiting[rank]!.push(call);
    this.#issued.push(this.#send(this.#group.stores[rank]!, call));
  }

  #send(kv: KVStore, call: ModelCall): Issued {
    const { keys, values, pulls } = call;
    const outs = keys.map(() => zeros(length));
    const tensors = values?.map((list) => list.map((each) => tensor(each)));
    if (tensors !== undefined) {
      const done = pulls ? kv.pushpull(keys, tensors, { out: outs }) : kv.push(keys, tensors);
      return { call, outs, state: watch(done), version: undefined };
    }
    if (keys.length > 1 || this.#random.chance(0.5)) {
      return { call, outs, state: watch(kv.pull(keys, { out: outs })), version: undefined };
    }
    const view = kv.pull(keys[0]!, { view: true });
    const issued: Issued = { call, outs, state: watch(view), version: undefined };
    view.then(
      (held) => {
        issued.version = held.version;
        outs[0]!.copyFrom(held.elements());
      },
      () => undefined,
    );
    return issued; // The view is held: what comes later goes to another buffer.
  }
}

for (const type of ['dist_sync', 'dist_async'] as const) {
  for (const onDeath of ['abort', 'continue'] as const) {
    randomTest(
      `${type}, ${onDeath}: with deaths between any two messages all is as in the model`,
      5000,
      async (t, random) => {
        const ranks = 1 + random.integer(4);
        const isAsync = type === 'dist_async';
        const rule = random.pick(runRules.slice(isAsync ? 1 : 0));
        const group = await InlineGroup.open(t, { workers: ranks, type, onDeath });
        const inits = group.stores.map((kv) => kv.init([0, 1], [zeros(length), zeros(length)]));
        await group.finish(Promise.all(inits));
        if (rule !== 'assign') {
          const options = sgdOptions[rule as keyof typeof sgdOptions];
          await group.finish(group.stores[0]!.setOptimizer('sgd', options));
        }
        const continues = onDeath === 'continue';
        const model = new GroupModel({ ranks, keys: keyCount, length, isAsync, continues, rule });
        const simulation = new Simulation(group, random, model);
        await simulation.run(8 + random.integer(32));
        t.is(await simulation.differs(), undefined);
        t.is(await simulation.leavesOpen(), 0);
      },
    );
  }
}
