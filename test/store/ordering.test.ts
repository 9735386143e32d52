import { tensor, zeros, type Tensor } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { rejects } from '../helpers/workers.js';

onEveryPlane('S9: calls that nobody awaits take effect in order', async (t, open) => {
  const kv = await open();
  const outs: Tensor[] = [];
  const calls: Promise<unknown>[] = [kv.init(0, tensor([0]))];
  for (let i = 1; i <= 200; i++) {
    calls.push(kv.push(0, tensor([i])));
    outs.push(zeros(1));
    calls.push(kv.pull(0, { out: outs.at(-1)! }));
  }
  await Promise.all(calls);
  t.is(
    outs.findIndex((out, i) => out.data[0] !== i + 1),
    -1,
  );
});

onEveryPlane('S9: with an updater function they do so too', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros(1), zeros(1)]);
  await kv.setUpdater((_, input, stored) => void stored.mul_(3).add_(input));
  const outs: Tensor[] = [];
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 12; i++) {
    calls.push(kv.push([0, 1], [tensor([i % 2]), tensor([1])]));
    outs.push(zeros(1));
    calls.push(kv.pull(0, { out: outs.at(-1)! }));
  }
  await Promise.all(calls);
  let expected = 0;
  for (const [i, out] of outs.entries()) {
    expected = expected * 3 + (i % 2);
    t.is(out.data[0], expected);
  }
});

onEveryPlane('S9: a call that is refused does not disturb its neighbours', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(1));
  const first = kv.push(0, tensor([1]));
  const bad = kv.push(0, tensor([1, 2]));
  const last = kv.pull(0);
  await rejects(t, bad, { code: 'shape_mismatch', key: 0 });
  await first;
  t.is((await last).data[0], 1);
});

onEveryPlane('S9: 5,000 open calls over many keys end in order', async (t, open) => {
  const kv = await open();
  const random = new Random(seed);
  t.log(`TENSORKV_SEED=${seed}`);
  const keys = Array.from({ length: 50 }, (_, i) => i);
  await kv.init(
    keys,
    keys.map(() => zeros(1)),
  );
  await kv.setOptimizer('sgd', { lr: 1 });
  const expected = keys.map(() => 0);
  const wrong: number[] = [];
  await Promise.all(
    Array.from({ length: 5000 }, async (_, i) => {
      const key = random.pick(keys);
      if (i % 2 === 0) {
        const x = random.integer(10);
        expected[key]! -= x;
        return kv.push(key, tensor([x]));
      }
      const now = expected[key]!;
      const pulled = await kv.pull(key);
      if (pulled.data[0] !== now) wrong.push(i);
    }),
  );
  t.deepEqual(wrong.slice(0, 5), []);
});

onEveryPlane('S10: every call returns a promise at once', async (t, open) => {
  const kv = await open();
  const value = zeros(1);
  const calls = [
    kv.init(0, value),
    kv.setUpdater(undefined),
    kv.setOptimizer('sgd'),
    kv.push(0, value),
    kv.pull(0),
    kv.pushpull(0, value),
    kv.broadcast(1, value, { out: value }),
    kv.barrier(),
    kv.flush(),
    kv.push(Symbol() as never, value),
  ];
  t.true(calls.every((call) => call instanceof Promise));
  const ended = await Promise.allSettled(calls);
  t.deepEqual(
    ended.map(({ status }) => status === 'fulfilled'),
    [...Array.from({ length: 9 }, () => true), false],
  );
});

onEveryPlane('S10: flush waits for all that was issued, failures too', async (t, open) => {
  const kv = await open();
  await kv.flush();
  let open_ = 0;
  const count = (call: Promise<unknown>): void => {
    open_ += 1;
    const ended = (): void => void (open_ -= 1);
    call.then(ended, ended);
  };
  count(kv.init(0, zeros(1)));
  for (let i = 0; i < 50; i++) count(kv.push(0, tensor([i])));
  count(kv.push(1, zeros(1)));
  await kv.flush();
  await Promise.resolve();
  t.is(open_, 0);
  t.is(kv.stats().inFlight, 0);
  t.is((await kv.pull(0)).data[0], 49);
});
