import { zeros, type KVStore, type Tensor } from '../../src/index.js';
import { InlineGroup, watch, type Watched } from '../helpers/inline-group.js';
import type { Random } from '../helpers/random.js';
import { randomTest } from '../helpers/random-test.js';

const keyList = [0, 1];

/** How often a worker has pushed to a key, and what is known of what became of it. */
interface Count {
  issued: number;
  /** Resolved: in the stored tensor for certain. */
  applied: number;
  /** Rejected calls over one key: not applied for certain. */
  refused: number;
}

/**
 * Random calls of a group in a random schedule, with deaths, leaves and missed deadlines between
 * any two messages. Worker r pushes its unit vector, so the stored tensor counts the pushes of each.
 */
class Schedule {
  readonly #group: InlineGroup;
  readonly #random: Random;
  readonly #gone = new Set<number>();
  readonly #calls: { readonly what: string; readonly rank: number; readonly state: Watched }[] = [];
  readonly #counts: Count[][];
  readonly #lastSeen: number[][][];
  /** Sign of one push in the stored tensor. */
  readonly #sign: number;
  readonly survivor: number;
  problem: string | undefined;

  constructor(group: InlineGroup, random: Random, sign: number) {
    this.#group = group;
    this.#random = random;
    this.#sign = sign;
    this.survivor = random.integer(group.stores.length);
    this.#counts = group.stores.map(() =>
      keyList.map(() => ({ issued: 0, applied: 0, refused: 0 })),
    );
    this.#lastSeen = group.stores.map(() => keyList.map(() => group.stores.map(() => 0)));
  }

  async run(steps: number): Promise<void> {
    const ranks = this.#group.stores.map((_, rank) => rank);
    for (let i = 0; i < steps; i++) {
      const rank = this.#random.pick(ranks);
      const dice = this.#random.next();
      if (dice < 0.4) this.#issue(rank);
      else if (dice < 0.95) await this.#group.step(rank);
      else if (dice < 0.97) await this.#group.passAllDeadlines();
      else if (rank !== this.survivor && !this.#gone.has(rank)) await this.#end(rank);
    }
    await this.#group.drain();
    await this.#group.passAllDeadlines();
    await this.#group.drain();
  }

  /** Calls of workers that are not dead, and have no end. */
  open(): string[] {
    return this.#calls.flatMap(({ what, rank, state }) =>
      state.settled === 'no' && !this.#gone.has(rank) ? [`rank ${rank}: ${what}`] : [],
    );
  }

  /** Compares a stored tensor with what the callers were told. */
  check(key: number, stored: Tensor): string | undefined {
    for (const [rank, byKey] of this.#counts.entries()) {
      const { issued, applied, refused } = byKey[key]!;
      const counted = stored.data[rank]! * this.#sign;
      if (counted >= applied && counted <= issued - refused) continue;
      return `rank ${rank} key ${key}: ${counted}, of ${issued}, ${applied} yes, ${refused} no`;
    }
    return undefined;
  }

  async #end(rank: number): Promise<void> {
    if (this.#random.chance(0.3)) {
      this.#watch(rank, 'close', this.#group.stores[rank]!.close());
    } else {
      this.#gone.add(rank);
      await this.#group.depart(rank, 'a fault');
    }
  }

  #issue(rank: number): void {
    if (this.#gone.has(rank)) return;
    const kv = this.#group.stores[rank]!;
    const key = this.#random.pick(keyList);
    const unit = zeros(this.#group.stores.length);
    unit.data[rank] = 1;
    const dice = this.#random.next();
    if (dice < 0.4) this.#push(rank, [key], kv.push(key, unit));
    else if (dice < 0.5) this.#push(rank, keyList, kv.push(keyList, [unit, unit]));
    else if (dice < 0.6) this.#push(rank, keyList, kv.pushpull(keyList, [unit, unit]));
    else if (dice < 0.9) this.#pull(rank, key, kv);
    else if (dice < 0.95) this.#watch(rank, 'barrier', kv.barrier());
    else this.#watch(rank, 'flush', kv.flush());
  }

  #push(rank: number, keys: readonly number[], call: Promise<unknown>): void {
    const counts = keys.map((key) => this.#counts[rank]![key]!);
    for (const count of counts) count.issued += 1;
    this.#watch(rank, `push ${keys.join()}`, call);
    call.then(
      () => counts.forEach((count) => (count.applied += 1)),
      () => (keys.length === 1 ? (counts[0]!.refused += 1) : undefined),
    );
  }

  /** A pull sees what was acknowledged before it was issued, and no worker's pulls go back. */
  #pull(rank: number, key: number, kv: KVStore): void {
    const known = this.#counts.map((byKey) => byKey[key]!.applied);
    const call = kv.pull(key);
    this.#watch(rank, `pull ${key}`, call);
    call.then(
      ({ data }) => {
        const seen = this.#lastSeen[rank]![key]!;
        data.forEach((x, of) => {
          const counted = x * this.#sign;
          if (counted < known[of]!) this.problem ??= `key ${key} lacks a push of rank ${of}`;
          if (counted < seen[of]!) this.problem ??= `key ${key} went back for rank ${rank}`;
          seen[of] = counted;
        });
      },
      () => undefined,
    );
  }

  #watch(rank: number, what: string, call: Promise<unknown>): void {
    this.#calls.push({ what, rank, state: watch(call) });
  }
}

async function configure(group: InlineGroup, rule: 'function' | 'sgd'): Promise<void> {
  await group.finish(
    Promise.all(
      group.stores.map(async (kv) => {
        await kv.init(
          keyList,
          keyList.map(() => zeros(group.stores.length)),
        );
        if (rule === 'sgd') await kv.setOptimizer('sgd', { lr: 1 });
        else await kv.setUpdater((_, input, stored) => void stored.add_(input));
      }),
    ),
  );
}

for (const type of ['dist_sync', 'dist_async', 'dist_ssp'] as const) {
  for (const rule of ['function', 'sgd'] as const) {
    randomTest(
      `${type}, ${rule}: with deaths at any moment nobody hangs and no push is lost or doubled`,
      300,
      async (t, random) => {
        const workers = 1 + random.integer(4);
        const onDeath = random.pick(['abort', 'continue'] as const);
        const staleness = random.integer(3);
        const group = await InlineGroup.open(t, { workers, type, onDeath, staleness });
        await configure(group, rule);
        const schedule = new Schedule(group, random, rule === 'sgd' ? -1 : 1);
        await schedule.run(20 + random.integer(80));
        t.deepEqual(schedule.open(), []);
        t.is(schedule.problem, undefined);

        const observer = group.stores[schedule.survivor]!;
        // Those who are behind after missed deadlines: its pull would wait for them.
        for (let rank = 0; rank < workers && type === 'dist_ssp'; rank++) {
          if (rank !== schedule.survivor) await group.depart(rank, undefined);
        }
        const stored = await group.finish(observer.pull(keyList));
        for (const key of keyList) t.is(schedule.check(key, stored[key]!), undefined);

        if (schedule.survivor !== 0) return;
        await group.finish(observer.setUpdater(undefined));
        t.is(observer.stats().storeBytes, keyList.length * workers * 4, 'bytes were lost');
      },
    );
  }
}
