import { createKVStore, tensor, zeros, type KVStore, type Tensor } from 'tensorkv';
import { digest, integers, showCount } from './arrays.js';
import type { Bench, Variant } from './harness.js';
import { resnet50Sizes } from './resnet50-step.bench.js';
import { percentile } from './statistics.js';

const idleTurns = 200;

/** How long may a callback of an app have to wait, while its store is at work? */
export const bench: Bench = {
  name: 'loop-delay',
  question: 'How long are the turns of an event loop, while a local store works on its tensors?',
  // Channels of the first layer of ResNet-50.
  sizes: { smoke: [4], full: [64] },
  async setup(channels) {
    const sizes = resnet50Sizes(channels);
    const elements = sizes.reduce((sum, length) => sum + length, 0);
    const values = sizes.map((length, i) => tensor(integers(length, i + 1)));
    const kv = await createKVStore('local');
    const keys = [...sizes.keys()];
    await kv.init(
      keys,
      values.map(({ shape }) => zeros(shape)),
    );
    return {
      about: `${sizes.length} tensors of ${showCount(elements)} float32 in all, one caller, no updater`,
      baseline: 'idle',
      expected: digest(values.map(({ data }) => data as Float32Array)),
      variants: { idle: idle(), 'one list': lists(kv, values), 'key by key': single(kv, values) },
      close: () => kv.close(),
    };
  },
  figures(found) {
    const [idleTurns_, ...loads] = ['idle', 'one list', 'key by key'].map(
      (name) => found.get(name)!.roundsUs!,
    );
    const all = Float64Array.from(loads.flatMap((each) => [...each]));
    return {
      p50Us: percentile(all, 50),
      p99Us: percentile(all, 99),
      maxUs: percentile(all, 100),
      idleP50Us: percentile(idleTurns_!, 50),
      idleP99Us: percentile(idleTurns_!, 99),
      idleMaxUs: percentile(idleTurns_!, 100),
    };
  },
};

/** Takes the time of every turn of the event loop, from one look to the next. */
class Turns {
  readonly #us: number[] = [];

  get all(): Float64Array {
    return Float64Array.from(this.#us);
  }

  /** Looks until `work` has ended, or for so many turns. */
  async during(work: Promise<unknown> | number): Promise<void> {
    let left = typeof work === 'number' ? work : Infinity;
    if (typeof work !== 'number') void work.finally(() => (left = 0));
    let lastMs = performance.now();
    for (; left > 0; left--) {
      await new Promise((resolve) => setImmediate(resolve));
      const nowMs = performance.now();
      this.#us.push((nowMs - lastMs) * 1000);
      lastMs = nowMs;
    }
    await work;
  }
}

function idle(): Variant {
  const turns = new Turns();
  return {
    run: (times) => turns.during(times * idleTurns),
    check: { holds: () => turns.all.length >= idleTurns },
    roundsUs: () => turns.all,
  };
}

/** Calls of a step, all at once. */
function working(values: readonly Tensor[], step: (outs: Tensor[]) => Promise<unknown>): Variant {
  const turns = new Turns();
  const outs = values.map(({ shape }) => zeros(shape));
  return {
    run: async (times) => {
      for (let i = 0; i < times; i++) await turns.during(step(outs));
    },
    check: { answer: () => digest(outs.map(({ data }) => data as Float32Array)) },
    roundsUs: () => turns.all,
  };
}

function lists(kv: KVStore, values: readonly Tensor[]): Variant {
  const keys = [...values.keys()];
  return working(values, (out) => kv.pushpull(keys, values, { out }));
}

function single(kv: KVStore, values: readonly Tensor[]): Variant {
  return working(values, (outs) =>
    Promise.all(values.map((value, key) => kv.pushpull(key, value, { out: outs[key]! }))),
  );
}
