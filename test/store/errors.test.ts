import {
  createKVStore,
  cpu,
  cuda,
  ones,
  optim,
  tensor,
  zeros,
  type ErrorCode,
  type KVStore,
} from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

/** A call that must be refused, and with what. */
type Refused = readonly [
  call: (kv: KVStore) => Promise<unknown>,
  code: ErrorCode,
  key: string | number | undefined,
  says: readonly string[],
];

const [one, two] = [() => ones(1), () => ones(2)];
const doubles = (): ReturnType<typeof ones> => ones(2, { dtype: 'float64' });

/** The store under test has keys 0 and 1, each of two elements: [1, 2] and [3, 4]. */
const refused: Record<string, readonly Refused[]> = {
  'an unknown key': [
    [(kv) => kv.push(7, two()), 'unknown_key', 7, ['key 7', 'initialised']],
    [(kv) => kv.push([0, 7], [two(), two()]), 'unknown_key', 7, ['key 7']],
    [(kv) => kv.pull(7), 'unknown_key', 7, ['key 7']],
    [(kv) => kv.pull([1, 7], { out: [two(), two()] }), 'unknown_key', 7, ['key 7']],
    [(kv) => kv.pushpull([0, 7], [two(), two()]), 'unknown_key', 7, ['key 7']],
  ],
  'a key that exists': [
    [(kv) => kv.init(1, two()), 'duplicate_key', 1, ['key 1']],
    [(kv) => kv.init([2, 2], [two(), two()]), 'duplicate_key', 2, ['key 2', 'twice']],
    [(kv) => kv.broadcast(1, two(), { out: two() }), 'duplicate_key', 1, ['key 1']],
  ],
  'keys of two kinds': [
    [(kv) => kv.push([0, 'b'] as never, [two(), two()]), 'mixed_key_types', 'b', ['"b"']],
    [(kv) => kv.pull(['a', 0] as never), 'mixed_key_types', 0, ['"a"', 'key 0']],
    [(kv) => kv.init('b', two()), 'mixed_key_types', 'b', ['number', '"b"']],
  ],
  'lists that do not fit': [
    [(kv) => kv.push([0, 1], [two()]), 'length_mismatch', undefined, ['2 values', 'got 1']],
    [(kv) => kv.push([0, 1], two()), 'length_mismatch', undefined, ['2', 'class Tensor']],
    [(kv) => kv.push(0, []), 'length_mismatch', 0, ['key 0', 'empty']],
    [(kv) => kv.push([0, 1], [two(), []]), 'length_mismatch', 1, ['key 1', 'empty']],
    [(kv) => kv.pull([0, 1], { out: [two()] }), 'length_mismatch', undefined, ['2 outs', 'got 1']],
    [(kv) => kv.pull(0, { out: [] }), 'length_mismatch', 0, ['outs', 'empty']],
    [(kv) => kv.init([5, 6], [two()]), 'length_mismatch', undefined, ['2 values', 'got 1']],
    [
      (kv) => kv.pushpull([0, 1], [two(), two()], { out: [two()] }),
      'length_mismatch',
      undefined,
      ['2 outs'],
    ],
  ],
  'another shape': [
    [(kv) => kv.push(0, one()), 'shape_mismatch', 0, ['key 0', 'value', '[2]', '[1]']],
    [(kv) => kv.push([0, 1], [two(), [two(), one()]]), 'shape_mismatch', 1, ['key 1', '[1]']],
    [(kv) => kv.push(0, ones([2, 1])), 'shape_mismatch', 0, ['[2, 1]']],
    [(kv) => kv.pull(0, { out: one() }), 'shape_mismatch', 0, ['out', '[2]', '[1]']],
    [(kv) => kv.pushpull(0, two(), { out: one() }), 'shape_mismatch', 0, ['out', '[1]']],
    [(kv) => kv.pushpull(1, one(), { out: two() }), 'shape_mismatch', 1, ['value', '[1]']],
  ],
  'another dtype': [
    [(kv) => kv.push(0, doubles()), 'dtype_mismatch', 0, ['float32', 'float64']],
    [(kv) => kv.push([0, 1], [two(), doubles()]), 'dtype_mismatch', 1, ['key 1', 'float64']],
    [(kv) => kv.pushpull(0, [two(), doubles()], { out: two() }), 'dtype_mismatch', 0, ['key 0']],
  ],
  'what is no tensor': [
    [(kv) => kv.push(0, [1, 2] as never), 'bad_argument', 0, ['key 0', 'tensor', 'got 1']],
    [(kv) => kv.push(0, undefined as never), 'bad_argument', 0, ['tensor', 'undefined']],
    [(kv) => kv.push(0, new Float32Array(2) as never), 'bad_argument', 0, ['Float32Array']],
    [(kv) => kv.push(0, two().handle() as never), 'bad_argument', 0, ['tensor', 'Object']],
    [(kv) => kv.init(5, [two()]), 'bad_argument', 5, ['key 5', 'array of 1']],
    [(kv) => kv.init(5, null as never), 'bad_argument', 5, ['null']],
    [(kv) => kv.pull(0, { out: 3 as never }), 'bad_argument', 0, ['outs', 'got 3']],
  ],
  'options that do not exist': [
    [(kv) => kv.push(0, two(), { prio: 1 } as never), 'bad_argument', undefined, ['"prio"']],
    [(kv) => kv.push(0, two(), { out: two() } as never), 'bad_argument', undefined, ['"out"']],
    [(kv) => kv.push(0, two(), null as never), 'bad_argument', undefined, ['push', 'null']],
    [(kv) => kv.push(0, two(), { priority: NaN }), 'bad_argument', undefined, ['NaN']],
    [(kv) => kv.pull(0, { priority: '1' as never }), 'bad_argument', undefined, ['priority']],
    [(kv) => kv.pull(0, two() as never), 'bad_argument', undefined, ['pull']],
    [(kv) => kv.pushpull(0, two(), { outs: [] } as never), 'bad_argument', undefined, ['"outs"']],
    [(kv) => kv.broadcast(5, two(), {} as never), 'bad_argument', 5, ['outs', 'undefined']],
  ],
  'optimizers that do not exist': [
    [(kv) => kv.setOptimizer('adamax2'), 'unknown_optimizer', undefined, ['sgd', '"adamax2"']],
    [(kv) => kv.setOptimizer('__proto__'), 'unknown_optimizer', undefined, ['__proto__']],
    [(kv) => kv.setOptimizer(3 as never), 'bad_optimizer', undefined, ['optim.sgd', 'got 3']],
    [(kv) => kv.setOptimizer(null as never), 'bad_optimizer', undefined, ['null']],
    [(kv) => kv.setOptimizer('sgd', { lr: -1 }), 'bad_optimizer', undefined, ['lr', 'got -1']],
    [(kv) => kv.setOptimizer('sgd', { lr: NaN }), 'bad_optimizer', undefined, ['lr', 'NaN']],
    [(kv) => kv.setOptimizer('sgd', { lr: '1' }), 'bad_optimizer', undefined, ['lr', '"1"']],
    [(kv) => kv.setOptimizer('sgd', { beta: 1 }), 'bad_optimizer', undefined, ['"beta"', 'lr']],
    [(kv) => kv.setOptimizer('sgd', { lrMult: 2 }), 'bad_optimizer', undefined, ['lrMult']],
    [(kv) => kv.setOptimizer('sgd', { clipGradient: 0 }), 'bad_optimizer', undefined, ['got 0']],
  ],
};
for (const [what, calls] of Object.entries(refused)) {
  onEveryPlane(`${what}: refused, and nothing has changed`, async (t, open) => {
    const kv = await open();
    await kv.init([0, 1], [tensor([1, 2]), tensor([3, 4])]);
    for (const [call, code, key, says] of calls) {
      await rejects(t, call(kv), { code, says, ...(key === undefined ? {} : { key }) });
      const after = await kv.pull([0, 1]);
      t.deepEqual(
        after.map((each) => [...each.data]),
        [
          [1, 2],
          [3, 4],
        ],
      );
    }
    t.deepEqual(kv.keys, [0, 1]);
    t.deepEqual([kv.stats().updates, kv.stats().storeBytes], [0, 16]);
    await kv.push([0, 1], [ones(2), ones(2)]);
  });
}

const badKeys: readonly [unknown, string][] = [
  ['', '""'],
  [-1, '-1'],
  [1.5, '1.5'],
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [2 ** 53, '9007199254740992'],
  [1n, '1n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Symbol('k'), 'Symbol(k)'],
  [true, 'true'],
  [{}, 'class Object'],
  [() => 1, 'a function'],
  [new Int32Array(1), 'Int32Array'],
];
onEveryPlane('what is no key is refused everywhere', async (t, open) => {
  const kv = await open();
  for (const [key, got] of badKeys) {
    const bad = key as never;
    for (const call of [
      kv.init(bad, one()),
      kv.init([0, bad], [one(), one()]),
      kv.push(bad, one()),
      kv.pull(bad),
      kv.pull([bad]),
      kv.pushpull([bad], [one()]),
      kv.broadcast(bad, one(), { out: one() }),
    ]) {
      await rejects(t, call, { code: 'bad_key_type', says: ['integer', 'string', got] });
    }
  }
  const holes = new Array<number>(2);
  await rejects(t, kv.pull(holes), { code: 'bad_key_type', says: ['undefined'] });
  await rejects(t, kv.init(holes, [one(), one()]), { code: 'bad_key_type' });
  t.deepEqual(kv.keys, []);
});

onEveryPlane('kv.optimizer needs one, and takes only good options', async (t, open) => {
  const kv = await open();
  t.throws(() => kv.optimizer, { code: 'no_optimizer', message: /setOptimizer/ });
  await kv.setOptimizer('sgd', { lr: 0.5 });
  for (const change of [{ lr: -1 }, { lr: null }, { momentum: NaN }, { wdMult: [1] }, { x: 1 }]) {
    t.throws(() => Object.assign(kv.optimizer, change), { code: 'bad_optimizer' });
  }
  t.throws(() => Object.assign(kv.optimizer, { name: 'adam' }), { code: 'bad_optimizer' });
  t.is(kv.optimizer.lr, 0.5);
  t.throws(() => optim.sgd({ lr: Infinity }), { code: 'bad_optimizer', message: /Infinity/ });
});

onEveryPlane('memory_limit: what does not fit is refused before it is made', async (t, open) => {
  const kv = await open('local', { memoryLimit: 100 });
  await kv.init('a', zeros(10));
  const large = kv.init(['b', 'c'], [zeros(10), zeros(10)]);
  await rejects(t, large, { code: 'memory_limit', key: 'b', says: ['80 bytes', '40', '100'] });
  t.deepEqual(kv.keys, ['a']);
  await kv.setOptimizer('sgd', { momentum: 0.9 });
  await kv.init('b', zeros(5));
  const says = ['momentum', 'key "a"', '40 bytes', '60 of at most 100'];
  await kv.push('a', ones(10));
  await rejects(t, kv.push('b', ones(5)), {
    code: 'memory_limit',
    key: 'b',
    says: [...says.slice(0, 1), 'key "b"', '20 bytes', '100 of at most 100'],
  });
  t.deepEqual((await kv.pull('b')).toArray(), [0, 0, 0, 0, 0]);
  await kv.setUpdater(undefined); // Gives the momentum back.
  await kv.push(['a', 'b'], [ones(10), ones(5)]);
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  await rejects(t, kv.push('a', ones(10)), { code: 'memory_limit', key: 'a' });
  t.is((await kv.pull('a')).data[9], 1);
});

onEveryPlane('devices: a store with a limit refuses tensors past it', async (t, open) => {
  const kv = await open('device', { devices: 2 });
  await kv.init(0, zeros(1));
  const there = ones(1, { device: cpu(2) });
  const says = ['key 0', 'below 2', 'cpu(2)'];
  await rejects(t, kv.push(0, there), { code: 'bad_argument', key: 0, says });
  await rejects(t, kv.pull(0, { out: there }), { code: 'bad_argument', key: 0, says });
  await kv.pushpull(0, ones(1, { device: cpu(1) }));
});

onEveryPlane('cuda_unavailable: a CUDA device is refused where there is none', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  t.throws(() => ones(1, { device: cuda(0) }), { code: 'cuda_unavailable', message: /cuda\(0\)/ });
  t.throws(() => ones(1).to(cuda(1)), { code: 'cuda_unavailable', message: /cuda\(1\)/ });
});

onEveryPlane('unknown_type, unsupported, bad_argument: no store is made', async (t, open) => {
  for (const name of ['', 'locals', 'dist_', null, 3, 'constructor'] as never[]) {
    const made = open(name);
    await rejects(t, made, { code: 'unknown_type', says: ['local', 'dist_sync'] });
  }
  await rejects(t, open('local', { onDeath: 'restart' as never }), { code: 'unsupported' });
  const options = [
    { memoryLimit: 0 },
    { memoryLimit: '1' },
    { timeoutMs: -1 },
    { timeoutMs: NaN },
    { devices: 0 },
    { devices: 1.5 },
    { onDeath: 'ignore' },
    { guard: 'infinite' },
    { guard: true },
    { updaterTimeoutMs: 0 },
    { updaterTimeoutMs: '1' },
    { colour: 'red' },
  ];
  for (const each of options as never[]) {
    const [name] = Object.keys(each) as [string];
    await rejects(t, open('local', each), { code: 'bad_argument', says: [name, 'expected'] });
  }
  const where = createKVStore('local', { coordinator: 'moon' as never });
  await rejects(t, where, { code: 'bad_argument', says: ['inline', '"moon"'] });
});

onEveryPlane('updater_required: an asynchronous push wants an updater', async (t, open) => {
  const kv = await open('dist_async');
  await kv.init(4, tensor([1]));
  const says = ['setUpdater', 'setOptimizer'];
  await rejects(t, kv.push(4, ones(1)), { code: 'updater_required', key: 4, says });
  await rejects(t, kv.pushpull(4, ones(1)), { code: 'updater_required', key: 4, says });
  t.is((await kv.pull(4)).data[0], 1);
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  await kv.push(4, ones(1));
  t.is((await kv.pull(4)).data[0], 2);
});

onEveryPlane('the stack of a rejected call leads to its caller', async (t, open) => {
  const kv = await open();
  await kv.init(0, ones(2));
  await kv.setUpdater(() => {
    throw new RangeError('a fault');
  });
  const pushes = [7, 0].map(
    (key) =>
      async function trainStep(): Promise<void> {
        await kv.push(key, ones(2));
      },
  );
  for (const push of pushes) {
    const error = await t.throwsAsync(push());
    t.regex(error.stack ?? '', /at async trainStep/);
  }
});
