import { isMainThread, threadId } from 'node:worker_threads';
import { ones, tensor, zeros, type Key, type Tensor, type Updater } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { program, rejects } from '../helpers/workers.js';

onEveryPlane(
  'S12: an updater function runs once a push, in the thread of its caller',
  async (t, open) => {
    const kv = await open();
    await kv.init('w', tensor([1, 2]));
    const seen: [Key, unknown, number][] = [];
    await kv.setUpdater((key, input, stored) => {
      t.true(isMainThread);
      seen.push([key, input.toArray(), threadId]);
      stored.add_(input, 2);
    });
    await kv.push('w', [tensor([1, 1]), tensor([2, 3])]);
    t.deepEqual(seen, [['w', [3, 4], threadId]]);
    t.deepEqual((await kv.pull('w')).toArray(), [7, 10]);
  },
);

onEveryPlane('S12: an updater sees shape and dtype of its key', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros([2, 3], { dtype: 'float64' }), zeros([], { dtype: 'int32' })]);
  const seen: string[] = [];
  await kv.setUpdater((key, ...tensors) => {
    for (const { shape, dtype } of tensors) seen.push(`${key} [${shape.join(',')}] ${dtype}`);
  });
  await kv.push([1, 0], [ones([], { dtype: 'int32' }), ones([2, 3], { dtype: 'float64' })]);
  t.deepEqual(seen, ['0 [2,3] float64', '0 [2,3] float64', '1 [] int32', '1 [] int32']);
});

onEveryPlane('S12: an updater may keep state and make tensors', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([0, 0]));
  let velocity: Tensor | undefined;
  await kv.setUpdater((_, input, stored) => {
    velocity = (velocity ?? zeros(2)).mul(0.5).add(input);
    stored.add_(velocity, -1);
  });
  for (let i = 0; i < 3; i++) await kv.push(0, tensor([1, 2]));
  t.deepEqual((await kv.pull(0)).toArray(), [-4.25, -8.5]);
});

onEveryPlane('S12: a module runs in the coordinator', async (t, open) => {
  const kv = await open();
  await kv.init(3, tensor([1]));
  await kv.setUpdater(program('updater-add'));
  await kv.push(3, [tensor([1]), tensor([2])]);
  t.deepEqual((await kv.pull(3)).toArray(), [7]);
  await kv.setUpdater(program('updater-add').href); // A string that is a URL will do.
  await kv.pushpull(3, tensor([1]));
  t.deepEqual((await kv.pull(3)).toArray(), [9]);
});

onEveryPlane('S12: undefined brings back replacing', async (t, open) => {
  const kv = await open();
  await kv.init(3, tensor([1]));
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  await kv.push(3, tensor([4]));
  await kv.setUpdater(undefined);
  await kv.push(3, tensor([4]));
  t.deepEqual((await kv.pull(3)).toArray(), [4]);
});

const throwing: readonly [string, Updater | URL][] = [
  [
    'function',
    (key, input, stored) => {
      stored.add_(input, 2);
      if (input.data[0]! < 0) throw new RangeError(`negative sum for ${key}`);
    },
  ],
  ['module', program('updater-add')],
];
for (const [kind, updater] of throwing) {
  onEveryPlane(`S12: a ${kind} that throws leaves the stored tensor as it was`, async (t, open) => {
    const kv = await open();
    await kv.init(3, tensor([1, 1]));
    await kv.setUpdater(updater);
    await kv.push(3, tensor([1, 1]));
    const out = zeros(2);
    for (const call of [kv.push(3, tensor([-5, -5])), kv.pushpull(3, tensor([-5, -5]), { out })]) {
      const error = await rejects(t, call, {
        code: 'updater_error',
        key: 3,
        says: ['key 3', 'RangeError: negative sum for 3'],
      });
      t.is(error.cause, 'RangeError: negative sum for 3');
    }
    t.deepEqual(out.toArray(), [0, 0], 'the pull of a call whose push failed writes nothing');
    t.deepEqual((await kv.pull(3)).toArray(), [3, 3]);
    t.is(kv.stats().updates, 1);
    await kv.push(3, tensor([1, 1]));
    t.deepEqual((await kv.pull(3)).toArray(), [5, 5]);
  });
}

onEveryPlane(
  'S12: a throw for one key of a list leaves the other keys updated',
  async (t, open) => {
    const kv = await open();
    await kv.init([0, 1, 2], [zeros(1), zeros(1), zeros(1)]);
    await kv.setUpdater(program('updater-add'));
    const push = kv.push([0, 1, 2], [tensor([1]), tensor([-1]), tensor([1])]);
    await rejects(t, push, { code: 'updater_error', key: 1 });
    t.deepEqual(
      (await kv.pull([0, 1, 2])).map((each) => each.data[0]),
      [2, 0, 2],
    );
  },
);

onEveryPlane('S12: what an updater throws may be anything', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  const things: [unknown, string][] = [
    ['words', 'words'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ reason: 1 }, 'a value of class Object'],
    [Symbol('sign'), 'Symbol(sign)'],
  ];
  for (const [thing, words] of things) {
    await kv.setUpdater(() => {
      throw thing;
    });
    await rejects(t, kv.push(0, ones(1)), { code: 'updater_error', key: 0, says: [words] });
  }
  t.is((await kv.pull(0)).data[0], 0);
});

onEveryPlane('S12: an asynchronous updater is refused', async (t, open) => {
  const kv = await open();
  await kv.init('w', zeros(1));
  const refused = { code: 'updater_error', key: 'w', says: ['synchronous', 'promise'] } as const;
  await kv.setUpdater((async () => {
    await Promise.reject(new Error('too late to be heard'));
  }) as never);
  await rejects(t, kv.push('w', ones(1)), refused);
  await kv.setUpdater(program('updater-async'));
  await rejects(t, kv.push('w', ones(1)), refused);
  t.is((await kv.pull('w')).data[0], 0);
});

onEveryPlane('S12: what a refused updater still writes later never arrives', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  let goOn = (): void => undefined;
  const later = new Promise<void>((resolve) => (goOn = resolve));
  let first = true;
  await kv.setUpdater(((_key: Key, input: Tensor, stored: Tensor) => {
    if (!first) return void stored.add_(input);
    first = false;
    return later.then(() => stored.fill(666));
  }) as Updater);
  await rejects(t, kv.push(0, ones(1)), { code: 'updater_error', key: 0 });
  await kv.push(0, ones(1));
  goOn();
  await later;
  t.is((await kv.pull(0)).data[0], 1);
});

onEveryPlane('S12: what is no updater is refused and changes nothing', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  const bad: [unknown, string][] = [
    [42, '42'],
    ['updater-add', '"updater-add"'],
    [{}, 'a value of class Object'],
    [[], 'an array of 0'],
  ];
  for (const [updater, got] of bad) {
    const says = ['function', 'URL', got];
    await rejects(t, kv.setUpdater(updater as never), { code: 'bad_updater', says });
  }
  const modules: [URL, string][] = [
    [program('updater-missing'), 'a value of class Object'],
    [program('no-such-module'), 'imported'],
  ];
  for (const [url, words] of modules) {
    await rejects(t, kv.setUpdater(url), { code: 'bad_updater', says: [url.href, words] });
  }
  await kv.push(0, ones(1));
  await kv.push(0, ones(1));
  t.is((await kv.pull(0)).data[0], 2);
});

onEveryPlane('S12: calls after a module updater wait until it is loaded', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1]));
  const calls = [
    kv.setUpdater(program('updater-add')),
    kv.push(0, tensor([1])),
    kv.setUpdater(undefined),
    kv.push(0, tensor([50])),
  ];
  const before = kv.pull(0);
  await Promise.all(calls);
  t.is((await before).data[0], 50);
  t.is(kv.stats().updates, 2);
});

onEveryPlane(
  'S12: replacing the updater with 500 updates in flight loses none',
  async (t, open) => {
    const kv = await open();
    const keys = Array.from({ length: 500 }, (_, i) => i);
    const tensors = keys.map(() => ones(1));
    await kv.init(keys, tensors);
    await kv.setUpdater((_, input, stored) => void stored.copyFrom(input));
    await Promise.all([kv.push(keys, tensors), kv.setUpdater(undefined), kv.push(keys, tensors)]);
    t.is(kv.stats().updates, 1000);
  },
);

onEveryPlane('S12: an updater may call the store, whose answer comes later', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros(1), zeros(1)]);
  const nested: Promise<void>[] = [];
  await kv.setUpdater((key, input, stored) => {
    stored.add_(input);
    if (key === 0) nested.push(kv.push(1, input));
  });
  await kv.push(0, tensor([3]));
  await Promise.all(nested);
  t.is((await kv.pull(1)).data[0], 3);
});
