import { cpu, ones, tensor, zeros } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

onEveryPlane('S6: a pull fills one out and resolves with it', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1, 2]));
  const out = zeros(2, { device: cpu(3) });
  t.is(await kv.pull(0, { out }), out);
  t.deepEqual(out.toArray(), [1, 2]);
});

onEveryPlane('S6: a pull fills lists of outs and lists of lists', async (t, open) => {
  const kv = await open();
  await kv.init(['a', 'b'], [tensor([1]), tensor([2])]);
  const outs = [zeros(1), zeros(1), zeros(1)];
  t.is(await kv.pull('a', { out: outs }), outs);
  t.deepEqual(
    outs.map((out) => out.data[0]),
    [1, 1, 1],
  );
  const [x, y, z] = [zeros(1), zeros(1), zeros(1)];
  await kv.pull(['b', 'a'], { out: [x, [y, z]], priority: -1 });
  t.deepEqual(
    [x, y, z].map((out) => out.data[0]),
    [2, 1, 1],
  );
});

onEveryPlane('S6: without an out every pull makes fresh tensors', async (t, open) => {
  const kv = await open();
  await kv.init([5, 1], [tensor([5, 5], { dtype: 'float64' }), tensor([1])]);
  const [first, second] = [await kv.pull(5), await kv.pull(5)];
  first.fill(0);
  t.deepEqual(second.toArray(), [5, 5]);
  t.deepEqual((await kv.pull(5)).toArray(), [5, 5]);
  t.is(first.dtype, 'float64');

  const list = await kv.pull([5, 1, 5]); // In the caller's order, not in that of the keys.
  t.deepEqual(
    list.map((each) => [...each.data]),
    [[5, 5], [1], [5, 5]],
  );
  list[0]!.fill(0);
  t.deepEqual(list[2]!.toArray(), [5, 5]);
});

onEveryPlane('S6: a fresh tensor can be large', async (t, open) => {
  const kv = await open();
  await kv.init(0, ones([1000, 300]));
  const large = await kv.pull(0);
  t.deepEqual(large.shape, [1000, 300]);
  t.true(large.data.every((x) => x === 1));
});

onEveryPlane('S6: a pull casts to the dtype of the out', async (t, open) => {
  const kv = await open();
  const stored = [1.75, -1.75, 3e9, -3e9, NaN, 0.1];
  await kv.init(['f64', 'f32'], [tensor(stored, { dtype: 'float64' }), tensor(stored)]);
  const [narrow, integers, wide] = [
    zeros(6),
    zeros(6, { dtype: 'int32' }),
    zeros(6, { dtype: 'float64' }),
  ];
  await kv.pull('f64', { out: [narrow, integers] });
  t.deepEqual([...narrow.data], stored.map(Math.fround));
  const saturated = [1, -1, 2 ** 31 - 1, -(2 ** 31), 0, 0];
  t.deepEqual([...integers.data], saturated);

  await kv.pull('f32', { out: [integers.fill(7), wide] });
  t.deepEqual([...integers.data], saturated);
  t.deepEqual([...wide.data], stored.map(Math.fround));
});

onEveryPlane('S6: int32 is pulled into floats', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([2 ** 31 - 1, -5], { dtype: 'int32' }));
  const [narrow, wide] = [zeros(2), zeros(2, { dtype: 'float64' })];
  await kv.pull(0, { out: [narrow, wide] });
  t.deepEqual([...narrow.data], [2 ** 31, -5]);
  t.deepEqual([...wide.data], [2 ** 31 - 1, -5]);
});

onEveryPlane('S6: an out of another shape is refused, and none is written', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [ones([2, 3]), ones(6)]);
  const good = zeros(6);
  for (const shape of [[3, 2], [6], [2, 3, 1], [1, 2, 3], []]) {
    const out = zeros(shape);
    const pull = kv.pull([1, 0], { out: [good, out] });
    await rejects(t, pull, {
      code: 'shape_mismatch',
      key: 0,
      says: ['key 0', '[2, 3]', `[${shape.join(', ')}]`],
    });
    t.true(good.data.every((x) => x === 0));
    t.true(out.data.every((x) => x === 0));
  }
});

onEveryPlane('S7: pushpull pushes, then pulls into the outs', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros(1), zeros(1)]);
  const values = [tensor([1]), tensor([2])];
  const out = zeros(1);
  t.is(await kv.pushpull(0, values, { out }), out);
  t.is(out.data[0], 3);
  t.deepEqual(
    values.map((value) => value.data[0]),
    [1, 2],
  );

  const outs = [zeros(1), [zeros(1), zeros(1, { dtype: 'float64' })]];
  await kv.pushpull([1, 0], [tensor([7]), values], { out: outs, priority: 2 });
  t.deepEqual(
    outs.flat().map((each) => each.data[0]),
    [7, 3, 3],
  );
});

onEveryPlane('S7: pushpull without an out works in place', async (t, open) => {
  const kv = await open();
  await kv.init('w', tensor([1]));
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  const values = [tensor([1]), tensor([2])];
  t.is(await kv.pushpull('w', values), values);
  t.deepEqual(
    values.map((value) => value.data[0]),
    [4, 4],
  );
});
