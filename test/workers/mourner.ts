import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import { portPlane, type Plane } from '../../actors/plane.js';
import type { CoordinatorAddress } from '../../actors/port-link.js';
import { Recorder, type RecorderMemory } from '../../src/history/recorder.js';
import { createKVStore, KVStoreError, zeros, type KVStore, type Tensor } from '../../src/index.js';
import { storeType } from '../../src/core/types.js';
import { KVStore as Store } from '../../src/kv-store.js';
import { Random } from '../../src/stress/random.js';

/** What a device does until its coordinator dies. */
export interface Vigil {
  readonly type: string;
  /** Where the coordinator is; undefined: the device opens a store of its own. */
  readonly address: CoordinatorAddress | undefined;
  readonly rank: number;
  readonly devices: number;
  /** The module that ends the coordinator, as `doom.ts` says. */
  readonly doom: string;
  /** Whether pushes and pulls are the engine's. */
  readonly isLeased: boolean;
  readonly blocks: boolean;
  readonly seed: number;
  readonly memory: RecorderMemory;
  /** Where rank 0 saves to. */
  readonly path: string;
}

const keys = [0, 1];
/** Elements of each key: a value that one thread handles, and one that several do. */
const lengths = [12, 120_000];
const mostRounds = 100;
const timeoutMs = 60_000;

/** One device of a store whose coordinator is about to die, and what came of its calls. */
class Mourner {
  readonly problems: string[] = [];
  readonly #kv: KVStore;
  readonly #vigil: Vigil;
  readonly #recorder: Recorder;
  readonly #random: Random;
  readonly #values: Tensor[];
  readonly #outs = lengths.map((length) => zeros([length]));
  #isLost = false;

  constructor(kv: KVStore, vigil: Vigil) {
    this.#kv = kv;
    this.#vigil = vigil;
    this.#recorder = new Recorder(vigil.memory);
    this.#random = new Random(vigil.seed);
    const { rank, devices } = vigil;
    const sign = vigil.isLeased ? -1 : 1; // A step of an optimizer goes against it.
    this.#values = lengths.map((length) => {
      const value = zeros([length]);
      for (let i = 0; i < length; i++) {
        const lane = i % (devices + 1);
        if (lane === rank || lane === devices) value.data[i] = sign;
      }
      return value;
    });
  }

  async run(): Promise<void> {
    const { doom, isLeased } = this.#vigil;
    await this.#try(() =>
      this.#kv.init(
        keys,
        lengths.map((length) => zeros([length])),
      ),
    );
    await this.#try(() => this.#kv.setUpdater(doom));
    if (isLeased) await this.#try(() => this.#kv.setOptimizer('sgd', { lr: 1 }));
    for (let round = 0; round < mostRounds && !this.#isLost; round++) await this.#round(round);
    if (!this.#isLost) this.problems.push('the coordinator outlived it');
    await this.#after();
  }

  async #round(round: number): Promise<void> {
    const calls = [this.#special(round)];
    if (this.#vigil.blocks) this.#blockingCalls();
    else for (const key of this.#random.shuffled(keys)) calls.push(...this.#calls(key));
    await Promise.all(calls);
  }

  /** What is neither push nor pull, in turn; collective calls come in the same round on all devices. */
  #special(round: number): Promise<void> {
    const { rank, path, isLeased } = this.#vigil;
    switch (round % 4) {
      case 0:
        return this.#try(() => this.#kv.init(2 + round, zeros([4])));
      case 1:
        return rank === 0 ? this.#try(() => this.#kv.save(path)) : Promise.resolve();
      case 2:
        return this.#try(() => this.#kv.barrier());
      default:
        if (isLeased && rank === 0 && !this.#isLost) this.#kv.optimizer.lr = 1;
        return Promise.resolve();
    }
  }

  #blockingCalls(): void {
    const outs = this.#outs;
    if (this.#random.chance(0.5)) {
      this.#block('both', keys, () => this.#kv.pushpullSync(keys, this.#values, { out: outs }));
    } else {
      this.#block('push', keys, () => this.#kv.pushSync(keys, this.#values));
      this.#block('pull', keys, () => this.#kv.pullSync(keys, { out: outs }));
    }
    this.#block('view', keys, () => this.#kv.pullSync(keys, { view: true }));
  }

  #calls(key: number): Promise<void>[] {
    const [value, out] = [this.#values[key]!, this.#outs[key]!];
    const pushed = this.#begin('push', [key]);
    const push = this.#kv.push(key, value);
    const pulled = this.#begin('pull', [key]);
    const pull = this.#kv.pull(key, { out });
    const viewed = this.#begin('view', [key]);
    const view = this.#kv.pull([key], { view: true });
    return [this.#ended(pushed, push), this.#ended(pulled, pull), this.#ended(viewed, view)];
  }

  #begin(what: 'push' | 'pull' | 'view' | 'both', of: readonly number[]): Rows {
    const callNs = this.#recorder.now();
    const begin = (kind: 'push' | 'pull'): number[] =>
      of.map((key) => this.#recorder.begin(kind, key, callNs));
    const pushes = what === 'push' || what === 'both' ? begin('push') : [];
    return { pushes, pulls: what === 'push' ? [] : begin('pull'), of };
  }

  #block(
    what: 'push' | 'pull' | 'view' | 'both',
    of: readonly number[],
    call: () => unknown,
  ): void {
    const rows = this.#begin(what, of);
    try {
      this.#done(rows, call());
    } catch (error) {
      this.#failed(rows, error);
    }
  }

  async #ended(rows: Rows, call: Promise<unknown>): Promise<void> {
    try {
      this.#done(rows, await call);
    } catch (error) {
      this.#failed(rows, error);
    }
  }

  #done({ pushes, pulls, of }: Rows, result: unknown): void {
    const endNs = this.#recorder.now();
    for (const row of pushes) this.#recorder.end(row, 'done', endNs);
    const views = Array.isArray(result) && result[0] !== this.#outs[0] ? (result as View[]) : [];
    for (const [i, row] of pulls.entries()) {
      const elements = views[i]?.elements() ?? this.#outs[of[i]!]!;
      this.#saw(row, elements.data as Float32Array);
      this.#recorder.end(row, 'done', endNs);
      views[i]?.release();
    }
  }

  #failed({ pushes, pulls }: Rows, error: unknown): void {
    for (const row of [...pushes, ...pulls]) {
      this.#recorder.end(row, 'unknown', this.#recorder.now());
    }
    this.#judge(error);
  }

  #saw(row: number, elements: Float32Array): void {
    const width = this.#vigil.devices + 1;
    const isTorn = elements.some((each, i) => each !== elements[i % width]);
    this.#recorder.saw(row, elements.subarray(0, width), { isTorn });
  }

  async #try(call: () => Promise<unknown>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#judge(error);
    }
  }

  #judge(error: unknown): void {
    if (error instanceof KVStoreError && error.code === 'peer_dead') this.#isLost = true;
    else this.problems.push(`expected peer_dead, got ${String(error)}`);
  }

  /** Whatever is called of a lost store rejects, and it closes. */
  async #after(): Promise<void> {
    const [value, out] = [this.#values[0]!, this.#outs[0]!];
    const late: (() => unknown)[] = [
      () => this.#kv.push(0, value),
      () => this.#kv.pullSync(0, { out }),
      () => this.#kv.barrier(),
    ];
    for (const call of late) {
      this.#isLost = false;
      await this.#try(async () => call());
      if (!this.#isLost) this.problems.push('a call of a lost store was answered');
    }
    if (this.#kv.stats().inFlight > 0) this.problems.push('calls are left open');
    await this.#kv.close();
  }
}

interface Rows {
  readonly pushes: readonly number[];
  readonly pulls: readonly number[];
  readonly of: readonly number[];
}

type View = Tensor & { elements(): Tensor; release(): void };

async function open({ type, address, rank }: Vigil): Promise<KVStore> {
  if (address === undefined) return createKVStore(type as 'local', { timeoutMs });
  const plane = (handlers: Parameters<Parameters<typeof Store.open>[0]>[0]): Plane =>
    portPlane(address, { timeoutMs, ...handlers });
  return Store.open(plane, {
    type: storeType(type),
    rank,
    devices: undefined,
    status: address.status,
    debug: false,
  });
}

// Entry of a device thread that outlives many coordinators.
assert(parentPort !== null);
const port = parentPort;
port.on('message', (vigil: Vigil) => {
  void (async () => {
    const mourner = new Mourner(await open(vigil), vigil);
    await mourner.run();
    port.postMessage(mourner.problems);
  })();
});
