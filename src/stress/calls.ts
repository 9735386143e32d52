import { Recorder, type RecorderMemory } from '../history/recorder.js';
import { KVStoreError, zeros, type ErrorCode, type KVStore, type Tensor } from '../index.js';
import type { Random } from './random.js';
import { isFatal, stressTypes, type Plan, type Scenario } from './scenario.js';

interface CallsOptions {
  readonly memory: RecorderMemory;
  readonly scenario: Scenario;
  readonly plan: Plan;
  readonly rank: number;
  readonly random: Random;
}

/** Rows of the recorder that one call takes: pushes, then pulls. */
interface Rows {
  readonly pushes: number;
  readonly pulls: number;
  readonly keys: readonly number[];
}

/** The calls that one device makes, each recorded from call to return. */
export class Calls {
  /** Errors that no caller should have seen. */
  readonly problems: string[] = [];
  /** Whether the store takes no more rounds: another device is dead and rounds were to abort. */
  isOver = false;
  readonly #kv: KVStore;
  readonly #options: CallsOptions;
  readonly #recorder: Recorder;
  /** What is pushed: a value, or one of each device where a single caller pushes for all. */
  readonly #values: Tensor[];
  readonly #value: Tensor | Tensor[];
  readonly #outs: Tensor[];
  #pushed = 0;

  constructor(kv: KVStore, options: CallsOptions) {
    this.#kv = kv;
    this.#options = options;
    this.#recorder = new Recorder(options.memory);
    const { plan, scenario } = options;
    const count = stressTypes[scenario.type].isGroup ? 1 : scenario.devices;
    this.#values = Array.from({ length: count }, () => zeros([plan.elements]));
    this.#value = count === 1 ? this.#values[0]! : this.#values;
    this.#outs = Array.from({ length: scenario.keys }, () => zeros([plan.elements]));
    this.#fill();
  }

  /** One blocking round: a push to every key, and pulls, in one of several styles. */
  round(keys: readonly number[]): void {
    const { random } = this.#options;
    this.#nextValues();
    const style = random.integer(4);
    if (style <= 1) this.#pushPull(keys);
    else if (style === 2) {
      this.#push(keys);
      this.#pull(keys);
    } else {
      for (const key of keys) this.#push([key]);
      for (const key of random.shuffled(keys)) this.#pull([key]);
    }
  }

  /** A round without blocking: all calls at once, of every key by itself, and then their answers. */
  async burst(keys: readonly number[]): Promise<void> {
    this.#nextValues();
    const open = this.#options.random.shuffled(keys).flatMap((key) => {
      const push = this.#begin([key], 'push');
      const pushed = this.#kv.push(key, this.#value);
      const pull = this.#begin([key], 'pull');
      const pulled = this.#pullAsync(key, pull);
      return [this.#ended(pushed, push), this.#ended(pulled, pull)];
    });
    await Promise.all(open);
  }

  /** Pushes that are never awaited, for a device that is about to end. */
  leaveOpen(keys: readonly number[]): void {
    this.#nextValues();
    for (const key of keys) {
      this.#begin([key], 'push');
      this.#kv.push(key, this.#value).catch(() => undefined);
    }
  }

  /** Waits until all have come this far. */
  async meet(): Promise<void> {
    await this.#kv.barrier().catch((error: unknown) => this.#judge(error, true));
  }

  /** One last look at every key. */
  finalPull(keys: readonly number[]): void {
    this.#pull(keys);
  }

  #pushPull(keys: readonly number[]): void {
    if (this.#options.scenario.rule === 'log') {
      this.#push(keys);
      this.#pull(keys);
      return;
    }
    const rows = this.#begin(keys, 'both');
    const outs = keys.map((key) => this.#outs[key]!);
    const values = keys.map(() => this.#value);
    this.#attempt(rows, () => this.#kv.pushpullSync(keys, values, { out: outs }));
  }

  #push(keys: readonly number[]): void {
    const rows = this.#begin(keys, 'push');
    const values = keys.map(() => this.#value);
    this.#attempt(rows, () => this.#kv.pushSync(keys, values));
  }

  #pull(keys: readonly number[]): void {
    const rows = this.#begin(keys, 'pull');
    if (this.#options.scenario.rule === 'log') {
      this.#attempt(rows, () => {
        const views = this.#kv.pullSync(keys, { view: true });
        for (const [i, view] of views.entries()) {
          this.#saw(rows.pulls + i, view.elements(), view.version);
          view.release();
        }
      });
      return;
    }
    const outs = keys.map((key) => this.#outs[key]!);
    this.#attempt(rows, () => this.#kv.pullSync(keys, { out: outs }));
  }

  async #pullAsync(key: number, rows: Rows): Promise<unknown> {
    if (this.#options.scenario.rule !== 'log') return this.#kv.pull(key, { out: this.#outs[key]! });
    const view = await this.#kv.pull(key, { view: true });
    this.#saw(rows.pulls, view.elements(), view.version);
    view.release();
    return undefined;
  }

  #begin(keys: readonly number[], what: 'push' | 'pull' | 'both'): Rows {
    const callNs = this.#recorder.now();
    let [pushes, pulls] = [-1, -1];
    if (what !== 'pull') {
      for (const key of keys) {
        const at = this.#recorder.begin('push', key, callNs);
        if (pushes < 0) pushes = at;
      }
    }
    if (what !== 'push') {
      for (const key of keys) {
        const at = this.#recorder.begin('pull', key, callNs);
        if (pulls < 0) pulls = at;
      }
    }
    return { pushes, pulls, keys };
  }

  #attempt(rows: Rows, call: () => unknown): void {
    try {
      call();
      this.#done(rows);
    } catch (error) {
      this.#failed(rows, error);
    }
  }

  async #ended(call: Promise<unknown>, rows: Rows): Promise<void> {
    try {
      await call;
      this.#done(rows);
    } catch (error) {
      this.#failed(rows, error);
    }
  }

  #done({ pushes, pulls, keys }: Rows): void {
    const endNs = this.#recorder.now();
    for (let i = 0; i < keys.length; i++) {
      if (pushes >= 0) this.#recorder.end(pushes + i, 'done', endNs);
      if (pulls < 0) continue;
      // Views have been looked at while they were held.
      if (this.#options.scenario.rule !== 'log') this.#saw(pulls + i, this.#outs[keys[i]!]!);
      this.#recorder.end(pulls + i, 'done', endNs);
    }
  }

  /** Only the key that the error names is known to be untouched, or the only one. */
  #failed({ pushes, pulls, keys }: Rows, error: unknown): void {
    const endNs = this.#recorder.now();
    for (const [i, key] of keys.entries()) {
      const named = error instanceof KVStoreError && (error.key === key || keys.length === 1);
      if (pushes >= 0) this.#recorder.end(pushes + i, named ? 'refused' : 'unknown', endNs);
      if (pulls >= 0) this.#recorder.end(pulls + i, 'unknown', endNs);
    }
    this.#judge(error);
  }

  /** Whether an error may be seen in this run; the first of a device that may not is kept. */
  #judge(
    error: unknown,
    waitsForAll = stressTypes[this.#options.scenario.type].order !== 'free',
  ): void {
    const { scenario, plan } = this.#options;
    const allowed = new Set<ErrorCode>();
    const dies = plan.faults.some((fault) => isFatal(fault, plan));
    if (dies && scenario.onDeath === 'abort' && waitsForAll) allowed.add('peer_dead');
    const isExpected = error instanceof KVStoreError && allowed.has(error.code);
    if (isExpected) this.isOver ||= error.code === 'peer_dead';
    else if (this.problems.length === 0) this.problems.push(`unexpected ${describe(error)}`);
  }

  #saw(at: number, { data }: Tensor, version?: number): void {
    const { width } = this.#options.plan;
    const elements = data as Float32Array;
    const isTorn = !repeats(elements, width);
    this.#recorder.saw(at, elements.subarray(0, width), {
      isTorn,
      ...(version === undefined ? {} : { version }),
    });
  }

  /** Values that say which push they are, where the rule asks for it. */
  #nextValues(): void {
    this.#pushed += 1;
    if (this.#options.scenario.rule !== 'sum') this.#fill();
  }

  #fill(): void {
    for (const [i, value] of this.#values.entries()) {
      const device = this.#values.length === 1 ? this.#options.rank : i;
      tile(value.data as Float32Array, this.#row(device));
    }
  }

  #row(device: number): Float32Array {
    const { plan, scenario } = this.#options;
    const row = new Float32Array(plan.width);
    if (scenario.rule === 'log') {
      return row.map((_, i) => Math.fround((device + 1) / (i + 3) + this.#pushed / 1024));
    }
    const { ofDevice, count } = plan.lanes;
    const lanes = this.#values.length === 1 ? ofDevice[device]! : [ofDevice[0]![device]!];
    const sign = scenario.rule === 'sum' ? -1 : this.#pushed;
    for (const lane of lanes) row[lane]! += sign;
    row[count] = sign * lanes.length;
    return row;
  }
}

/** Fills `elements` with `row`, over and over. */
function tile(elements: Float32Array, row: Float32Array): void {
  for (let at = 0; at < elements.length; at += row.length) {
    elements.set(row.subarray(0, elements.length - at), at);
  }
}

/** Whether `elements` are those `width` positions earlier, bit for bit. */
function repeats(elements: Float32Array, width: number): boolean {
  const bytes = Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
  return bytes.subarray(4 * width).equals(bytes.subarray(0, Math.max(0, bytes.length - 4 * width)));
}

function describe(error: unknown): string {
  if (error instanceof KVStoreError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
