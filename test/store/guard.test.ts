import test from 'ava';
import { full, ones, tensor, zeros, type KVStore, type Updater } from '../../src/index.js';
import { InlineGroup, watch } from '../helpers/inline-group.js';
import { onEveryPlane, onInlinePlane } from '../helpers/planes.js';
import { program, rejects } from '../helpers/workers.js';

const finite = { guard: 'finite' } as const;
const addTwice: Updater = (_, input, stored) => void stored.add_(input, 2);

/** Ways to make versions of key "w", which is [1, 1]; each makes no number of a sum that is none. */
const rules: Readonly<Record<string, (kv: KVStore) => Promise<void>>> = {
  replacing: async () => undefined,
  function: (kv) => kv.setUpdater(addTwice),
  module: (kv) => kv.setUpdater(program('updater-add')),
  sgd: (kv) => kv.setOptimizer('sgd', { lr: 1 }),
  momentum: (kv) => kv.setOptimizer('sgd', { lr: 0.1, momentum: 0.9 }),
  adam: (kv) => kv.setOptimizer('adam', { lr: 0.1 }),
  average: (kv) => kv.setOptimizer('nadam', { lr: 0.1, ema: 0.5, multiPrecision: true }),
};
const strangers = [NaN, Infinity, -Infinity];

for (const [rule, use] of Object.entries(rules)) {
  for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
    onInlinePlane(
      `S12: guard: ${rule} never publishes what is not finite, ${dtype}`,
      async (t, open) => {
        const [kv, plain] = [await open('local', finite), await open('local')];
        for (const each of [kv, plain]) {
          await each.init('w', ones(2, { dtype }));
          await use(each);
          await each.push('w', full(2, 0.5, { dtype }));
        }
        const before = await kv.pull('w');
        const out = zeros(2, { dtype });
        for (const stranger of strangers) {
          if (rule === 'module' && stranger < 0) continue; // It throws for what is negative.
          const value = tensor([1, stranger], { dtype });
          for (const call of [kv.push('w', [value, value]), kv.pushpull('w', value, { out })]) {
            const says = ['key "w"', 'finite', 'element 1'];
            await rejects(t, call, { code: 'updater_error', key: 'w', says });
          }
          t.deepEqual((await kv.pull('w')).toArray(), before.toArray());
        }
        t.deepEqual(out.toArray(), [0, 0]);
        t.is(kv.stats().updates, 1);
        // Slots are as before, too: later steps are those of a store that never saw the others.
        for (const each of [kv, plain]) await each.push('w', full(2, 0.25, { dtype }));
        t.deepEqual((await kv.pull('w')).toArray(), (await plain.pull('w')).toArray());
      },
    );
  }
}

onEveryPlane('S12: guard: a sum that overflows is refused, integers never are', async (t, open) => {
  const kv = await open('local', finite);
  await kv.init(['f', 'i'], [zeros(1), zeros(1, { dtype: 'int32' })]);
  const huge = full(1, 3e38);
  const says = ['key "f"', 'Infinity', 'element 0'];
  await rejects(t, kv.push('f', [huge, huge]), { code: 'updater_error', key: 'f', says });
  const largest = full(1, 2 ** 31 - 1, { dtype: 'int32' });
  await kv.push('i', [largest, largest]);
  t.deepEqual(
    (await kv.pull(['f', 'i'])).map((each) => each.data[0]),
    [0, -2],
  );
});

onEveryPlane('S12: guard: of a list only the bad key is refused', async (t, open) => {
  const kv = await open('local', finite);
  await kv.init([0, 1, 2], [zeros(1), zeros(1), zeros(1)]);
  const values = [ones(1), full(1, NaN), ones(1)];
  await rejects(t, kv.push([0, 1, 2], values), { code: 'updater_error', key: 1 });
  t.deepEqual(
    (await kv.pull([0, 1, 2])).map((each) => each.data[0]),
    [1, 0, 1],
  );
});

onEveryPlane('S12: guard: what it keeps counts as memory, and is given back', async (t, open) => {
  const kv = await open('local', { ...finite, memoryLimit: 1000 });
  await kv.init([0, 1], [zeros(30), zeros(20)]);
  await kv.setOptimizer('sgd', { lr: 1, momentum: 0.5 });
  await kv.push([0, 1], [ones(30), ones(20)]);
  await kv.barrier();
  // Two keys and their momentum; one copy of the larger serves both.
  t.is(kv.stats().storeBytes, 2 * 200 + 2 * 120);
  await kv.setUpdater(undefined);
  await kv.barrier();
  t.is(kv.stats().storeBytes, 200);

  await kv.init(2, zeros(190));
  await kv.setOptimizer('sgd', { lr: 1 });
  const says = ['put back', 'key 2', '760 bytes', '960 of at most 1000'];
  await rejects(t, kv.push(2, ones(190)), { code: 'memory_limit', key: 2, says });
  t.is((await kv.pull(2)).data[0], 0);
});

test('S12: guard: everyone of a refused round is told, and nobody else', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2, guard: 'finite' });
  const [a, b] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([a, b].map((kv) => kv.init([0, 1], [zeros(1), zeros(1)]))));
  for (const updater of [undefined, addTwice]) {
    await group.finish(Promise.all([a, b].map((kv) => kv.setUpdater(updater))));
    const refused = [a.push(0, full(1, Infinity)), b.push(0, ones(1))];
    refused.forEach(watch);
    await group.drain();
    for (const push of refused) {
      await rejects(t, push, { code: 'updater_error', key: 0, says: ['Infinity'] });
    }
    await group.finish(Promise.all([a, b].map((kv) => kv.push(1, ones(1)))));
    t.is((await group.finish(a.pull(0))).data[0], 0);
    await group.finish(Promise.all([a, b].map((kv) => kv.push(0, zeros(1)))));
  }
  t.is(a.stats().updates, 4);
});

onEveryPlane('S12: without a guard what is not finite is a value', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  await kv.push(0, full(1, NaN));
  t.is((await kv.pull(0)).data[0], NaN);
});

onEveryPlane(
  'S12: a module that does not return is stopped, and the store goes on',
  async (t, open) => {
    const kv = await open('local', { updaterTimeoutMs: 2000 });
    await kv.init([0, 1], [zeros(1), zeros(1)]);
    await kv.setUpdater(program('updater-slow'));
    const says = ['key 0', 'stopped', '2000 ms'];
    for (let i = 0; i < 2; i++) {
      const push = kv.push(0, full(1, Infinity));
      const other = kv.push(1, zeros(1));
      await rejects(t, push, { code: 'updater_error', key: 0, says });
      await other;
    }
    t.deepEqual(
      (await kv.pull([0, 1])).map((each) => each.data[0]),
      [0, 1],
    );
    await kv.push(0, zeros(1));
    t.is((await kv.pull(0)).data[0], 1);
    t.is(kv.stats().updates, 3);
  },
);

onEveryPlane('S12: timeoutMs holds for a module, too', async (t, open) => {
  const kv = await open('local', { timeoutMs: 150 });
  await kv.init(0, zeros(1));
  await kv.setUpdater(program('updater-slow'));
  const push = kv.push(0, full(1, Infinity));
  await rejects(t, push, { code: 'updater_error', key: 0, says: ['150 ms'] });
});
