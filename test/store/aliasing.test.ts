import { cpu, ones, tensor, zeros } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';

onEveryPlane('S5: one array may stand many times among the values', async (t, open) => {
  const kv = await open();
  await kv.init(0, zeros(2));
  const value = tensor([1, 2]);
  await kv.push(0, [value, value, value]);
  t.deepEqual((await kv.pull(0)).toArray(), [3, 6]);
  t.deepEqual(value.toArray(), [1, 2]);
});

onEveryPlane('S5: one array may stand many times among the outs', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [tensor([4]), tensor([5])]);
  const out = zeros(1);
  t.deepEqual(await kv.pull(0, { out: [out, out] }), [out, out]);
  t.is(out.data[0], 4);
});

onEveryPlane('S5: arrays pushed by four devices and pulled into hold the sum', async (t, open) => {
  const kv = await open('device');
  await kv.init(3, zeros([2, 3]));
  const arrays = [0, 1, 2, 3].map((i) => ones([2, 3], { device: cpu(i) }));
  await kv.pushpull(3, arrays);
  for (const array of arrays) t.true(array.data.every((x) => x === 4));

  const same = [arrays[0]!, arrays[0]!];
  await kv.pushpull(3, same, { out: arrays });
  for (const array of arrays) t.true(array.data.every((x) => x === 8));
});

onEveryPlane('S5: an out of one key may be a value of another', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1, 2], [zeros(1), zeros(1), zeros(1)]);
  const [a, b, c] = [tensor([1]), tensor([10]), tensor([100])];
  // Were key 0 pulled before keys 1 and 2 are pushed, they would get its sum.
  await kv.pushpull(
    [0, 1, 2],
    [
      [a, b],
      [b, c],
      [c, a],
    ],
    { out: [b, c, a] },
  );
  t.deepEqual(
    [b, c, a].map((each) => each.data[0]),
    [11, 110, 101],
  );
  t.deepEqual(
    (await kv.pull([0, 1, 2])).map((each) => each.data[0]),
    [11, 110, 101],
  );
});

onEveryPlane('S5: one array for all values and outs of a call', async (t, open) => {
  const kv = await open();
  await kv.init(['a', 'b'], [zeros(1), zeros(1)]);
  const only = tensor([1]);
  await kv.pushpull(
    ['a', 'b'],
    [
      [only, only],
      [only, only, only],
    ],
    { out: [[only], [only, only]] },
  );
  t.is(only.data[0], 3); // Key b is the last to be written.
  t.deepEqual(
    (await kv.pull(['a', 'b'])).map((each) => each.data[0]),
    [2, 3],
  );
});

onEveryPlane('S5: with an updater function every push still reads first', async (t, open) => {
  const kv = await open();
  await kv.init([0, 1], [zeros(1), zeros(1)]);
  await kv.setUpdater((_, input, stored) => void stored.add_(input, 2));
  const [a, b] = [tensor([1]), tensor([10])];
  await kv.pushpull([0, 1], [a, b], { out: [b, a] });
  t.deepEqual(
    [a, b].map((each) => each.data[0]),
    [20, 2],
  );
  await kv.pushpull([0, 1], [[a, b], b]);
  t.deepEqual(
    [a, b].map((each) => each.data[0]),
    [46, 24],
  );
});

onEveryPlane('S5: an init value may be pushed and pulled into', async (t, open) => {
  const kv = await open();
  const value = tensor([2]);
  await kv.init(0, value);
  await kv.push(0, [value, value]);
  await kv.pull(0, { out: value });
  await kv.pushpull(0, [value, value]);
  t.is(value.data[0], 8);
});
