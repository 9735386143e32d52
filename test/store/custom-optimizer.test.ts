import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  full,
  ones,
  registerOptimizer,
  rowSparse,
  schedule,
  tensor,
  zeros,
  type KVStore,
} from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { temporaryFolder, temporaryModule } from '../helpers/temporary.js';
import { program, rejects } from '../helpers/workers.js';

test.before(() => registerOptimizer('Heavyball', program('heavy-ball')));

/** Options that cannot be declared: they are of a custom optimizer. */
type Options = Record<string, unknown>;

async function is(t: ExecutionContext, kv: KVStore, expected: number[]): Promise<void> {
  t.deepEqual((await kv.pull('w')).toArray(), expected);
}

onEveryPlane('O-custom: a class in a module updates weights and slots', async (t, open) => {
  const kv = await open();
  await kv.init('w', tensor([1, 2]));
  await kv.setOptimizer('HeavyBall', {
    wd: 0.5,
    rescaleGrad: 2,
    clipGradient: 4,
    lrMult: { w: 2 },
  });
  t.is(kv.optimizer.name, 'heavyball');
  t.is((kv.optimizer as unknown as Options)['momentum'], 0.5);
  const gradient = [tensor([0.5, 1]), tensor([0.25, 5])];
  await kv.push('w', gradient);
  // g = clip(2 * [0.75, 6]) + 0.5 * [1, 2] = [2, 5]; v = -g; w = [1, 2] - g.
  await is(t, kv, [-1, -3]);
  t.deepEqual(gradient[0]!.toArray(), [0.5, 1]);
  (kv.optimizer as unknown as Options)['momentum'] = 0.25;
  await kv.push('w', zeros([2]));
  // g = [-0.5, -1.5]; v = 0.25 * [-2, -5] - g = [0, 0.25].
  await is(t, kv, [-1, -2.75]);
  t.throws(() => ((kv.optimizer as unknown as Options)['momentum'] = NaN), {
    message: /heavyball expected momentum to be a finite number, got NaN/,
  });
});

onEveryPlane('O-custom: a throw puts weights and slots back', async (t, open) => {
  const kv = await open();
  await kv.init('w', tensor([1]));
  await kv.setOptimizer('heavyball', { lr: 1, momentum: 1 });
  await kv.push('w', ones([1]));
  const options = kv.optimizer as unknown as Options;
  options['throws'] = true;
  await rejects(t, kv.push('w', ones([1])), { code: 'updater_error', key: 'w', says: ['no more'] });
  await is(t, kv, [0]);
  options['throws'] = false;
  await kv.push('w', zeros([1]));
  await is(t, kv, [-1]);
});

onEveryPlane('O-custom: an update that does not return is stopped', async (t, open) => {
  const kv = await open('local', { updaterTimeoutMs: 2000 });
  await kv.init('w', tensor([1]));
  await kv.setOptimizer('heavyball', { lr: 1, hangs: true });
  await rejects(t, kv.push('w', ones([1])), { code: 'updater_error', key: 'w', says: ['stopped'] });
  await is(t, kv, [1]);
  (kv.optimizer as unknown as Options)['hangs'] = false;
  await kv.push('w', ones([1]));
  await is(t, kv, [0]);
});

onEveryPlane('O-custom S16: it goes on from a file', async (t, open) => {
  const path = join(temporaryFolder(t), 'store');
  const [first, second] = [await open(), await open()];
  await first.init('w', full([4], 1, { dtype: 'bfloat16' }));
  const options = { schedule: schedule.factor({ baseLr: 0.3, step: 2, factor: 0.5 }) };
  await first.setOptimizer('heavyball', { ...options, multiPrecision: true, ema: 0.5 });
  const push = async (kv: KVStore): Promise<void> => {
    for (const x of [0.1, -0.7, 0.3]) await kv.push('w', full([4], x, { dtype: 'bfloat16' }));
  };
  await push(first);
  await first.save(path);
  await second.load(path);
  t.is(second.optimizer.name, 'heavyball');
  for (const kv of [first, second]) await push(kv);
  for (const average of [false, true]) {
    t.deepEqual(
      (await second.pull('w', { average })).toArray(),
      (await first.pull('w', { average })).toArray(),
    );
  }
});

onEveryPlane('O-custom S14: keys stored row-sparse update the rows they hold', async (t, open) => {
  const kv = await open();
  const shape = [1_000_000, 1];
  await kv.init('w', rowSparse({ shape, indices: [5], rows: [[1]] }));
  await kv.setOptimizer('heavyball', { lr: 1 });
  await kv.push('w', rowSparse({ shape, indices: [9], rows: [[1]] }));
  await kv.push('w', rowSparse({ shape, indices: [5], rows: [[1]] }));
  const { indices, rows } = await kv.pullRows('w');
  t.deepEqual([...indices], [5n, 9n]);
  t.deepEqual(rows.toArray(), [[0], [-1.5]]);
});

test('O-custom: every worker sees the optimizer of rank 0, and calls stay in order', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2 });
  const [zero, one] = group.stores as [KVStore, KVStore];
  await group.finish(Promise.all([zero, one].map((kv) => kv.init('w', tensor([1])))));
  const calls = [zero, one].flatMap((kv) => [
    kv.setOptimizer('heavyball', { lr: 1 }),
    kv.push('w', ones([1])),
  ]);
  // The module is imported meanwhile, by nobody's message.
  while (!(await settled(calls))) await group.drain();
  t.is(one.optimizer.name, 'heavyball');
  t.deepEqual((await group.finish(one.pull('w'))).toArray(), [-1]);
});

async function settled(calls: readonly Promise<unknown>[]): Promise<boolean> {
  const pending = Symbol('pending');
  const first = new Promise((resolve) => setImmediate(resolve, pending));
  return (await Promise.race([Promise.all(calls), first])) !== pending;
}

test('O-custom: bad names, modules and classes are refused', async (t) => {
  const url = program('heavy-ball');
  const code = 'bad_optimizer';
  await rejects(t, registerOptimizer('Adam', url), { code, says: ['built in', 'Adam'] });
  await rejects(t, registerOptimizer('', url), { code });
  await rejects(t, registerOptimizer(7 as never, url), { code });
  await rejects(t, registerOptimizer('x', 'no url'), { code, says: ['no url'] });
  await rejects(t, registerOptimizer('x', 'file:///nowhere.js'), { code, says: ['nowhere.js'] });
  const elsewhere = 'data:text/javascript,export default class { update() {} }';
  await rejects(t, registerOptimizer('x', elsewhere), { code, says: ['file:', 'data:'] });
  for (const text of [
    'export default 7',
    'export default class {}',
    'export default class { static defaults = { a: "x" }; update() {} }',
    'export default class { static slots = ["ema"]; update() {} }',
    'export default class { static slots = ["a", "a"]; update() {} }',
  ]) {
    await rejects(t, registerOptimizer('x', temporaryModule(t, text)), { code });
  }
});
