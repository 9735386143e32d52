import { tensor, zeros, type KVStore, type Tensor } from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import type { Random } from '../helpers/random.js';
import { randomTest } from '../helpers/random-test.js';
import {
  addTwice,
  firstDifference,
  ModelKey,
  rules,
  sgdOptions,
  type Rule,
} from '../store/model.js';

const length = 4;
const rounds = 4;

/** What every worker pushes to every key in every round: lists of values. */
type Pushes = readonly (readonly (readonly (readonly number[][])[])[])[];

function randomPushes(random: Random, workers: number, keys: number, floats: boolean): Pushes {
  const number = (): number => Math.fround(floats ? random.float() : random.integer(100) - 50);
  const list = (size: number, make: () => number): number[] => Array.from({ length: size }, make);
  return Array.from({ length: workers }, () =>
    Array.from({ length: rounds }, () =>
      Array.from({ length: keys }, () =>
        Array.from({ length: 1 + random.integer(3) }, () => list(length, number)),
      ),
    ),
  );
}

/** S(0), S(1), ... of one key: the sum of a round takes ranks in ascending order. */
function versions(pushes: Pushes, key: number, rule: Rule): number[][] {
  const model = new ModelKey(
    'float32',
    Array.from({ length }, () => 0),
  );
  const all = [model.stored];
  for (let round = 0; round < rounds; round++) {
    model.push(
      pushes.flatMap((ofWorker) => ofWorker[round]![key]!),
      rule,
    );
    all.push(model.stored);
  }
  return all;
}

async function configure(group: InlineGroup, rule: Rule, keys: number): Promise<void> {
  const names = Array.from({ length: keys }, (_, key) => key);
  await group.finish(
    Promise.all(
      group.stores.map(async (kv) => {
        await kv.init(
          names,
          names.map(() => zeros(length)),
        );
        if (rule === 'sgd' || rule === 'momentum') await kv.setOptimizer('sgd', sgdOptions[rule]);
        else await kv.setUpdater(rule === 'function' ? addTwice : undefined);
      }),
    ),
  );
}

/** Issues all calls of one worker at once; returns what each pull must find. */
function issue(
  kv: KVStore,
  pushes: Pushes[number],
  expected: readonly number[][][],
  random: Random,
): { readonly calls: Promise<unknown>[]; readonly outs: [Tensor, number[]][] } {
  const calls: Promise<unknown>[] = [];
  const outs: [Tensor, number[]][] = [];
  const outOf = (key: number, version: number): Tensor => {
    const out = zeros(length);
    outs.push([out, expected[key]![version]!]);
    return out;
  };
  for (const [round, byKey] of pushes.entries()) {
    const values = byKey.map((list) => list.map((value) => tensor(value)));
    const keys = random.shuffled(byKey.map((_, key) => key));
    if (random.chance(0.3)) {
      const out = keys.map((key) => outOf(key, round + 1));
      calls.push(
        kv.pushpull(
          keys,
          keys.map((key) => values[key]!),
          { out },
        ),
      );
      continue;
    }
    for (const key of keys) {
      calls.push(kv.push(key, values[key]!));
      if (random.chance(0.7)) calls.push(kv.pull(key, { out: outOf(key, round + 1) }));
    }
  }
  return { calls, outs };
}

for (const floats of [false, true]) {
  const what = floats ? 'floats' : 'integers';
  randomTest(
    `dist_sync: whatever the arrival order, every pull has the bits of the model: ${what}`,
    300,
    async (t, random) => {
      const [workers, keys] = [1 + random.integer(4), 1 + random.integer(3)];
      const rule = random.pick(rules);
      const pushes = randomPushes(random, workers, keys, floats);
      const expected = Array.from({ length: keys }, (_, key) => versions(pushes, key, rule));
      const group = await InlineGroup.open(t, { workers });
      await configure(group, rule, keys);

      const issued = group.stores.map((kv, rank) => issue(kv, pushes[rank]!, expected, random));
      const ranks = Array.from({ length: workers }, (_, rank) => rank);
      await group.deliver();
      while (group.coordinator.waiting > 0) await group.step(random.pick(ranks));
      await group.finish(Promise.all(issued.flatMap(({ calls }) => calls)));
      for (const { outs } of issued) {
        for (const [out, bits] of outs) {
          if (firstDifference(out.data, bits) >= 0) t.deepEqual([...out.data], bits);
        }
      }
      t.is(group.stores[0]!.stats().updates, rounds * keys);
    },
  );
}
