import { ones, tensor, zeros } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

onEveryPlane('S1: init copies the value in', async (t, open) => {
  const kv = await open();
  const value = tensor([1, 2, 3]);
  await kv.init(3, value);
  value.fill(9);
  t.deepEqual((await kv.pull(3)).toArray(), [1, 2, 3]);
});

onEveryPlane('S1: init takes a list of keys, and integer keys from 0 up', async (t, open) => {
  const kv = await open();
  await kv.init([7, 0, Number.MAX_SAFE_INTEGER], [ones(1), zeros([2, 2]), tensor(5)]);
  t.deepEqual(kv.keys, [7, 0, Number.MAX_SAFE_INTEGER]);
  t.deepEqual((await kv.pull(7)).toArray(), [1]);
  t.deepEqual((await kv.pull(0)).toArray(), [
    [0, 0],
    [0, 0],
  ]);
  t.is((await kv.pull(Number.MAX_SAFE_INTEGER)).toArray(), 5);
});

onEveryPlane('S1: one array may be the value of many keys', async (t, open) => {
  const kv = await open();
  const value = ones(2);
  await kv.init(['a', 'b'], [value, value]);
  await kv.push('a', tensor([5, 5]));
  t.deepEqual((await kv.pull('b')).toArray(), [1, 1]);
});

onEveryPlane('S1: any non-empty string is a key, ordinary as it may look', async (t, open) => {
  const kv = await open();
  const long = 'k'.repeat(1_000_000);
  const keys = ['__proto__', 'constructor', 'toString', '3', ' ', 'ключ', '\0', long];
  await kv.init(
    keys,
    keys.map((_, i) => tensor([i])),
  );
  t.is(kv.keys.length, keys.length);
  for (const [i, key] of keys.entries()) {
    await kv.push(key, [tensor([i]), tensor([10])]);
    t.is((await kv.pull(key)).data[0], i + 10);
  }
});

onEveryPlane('S1: minus zero is the key 0', async (t, open) => {
  const kv = await open();
  await kv.init(-0, ones(1));
  t.deepEqual((await kv.pull(0)).toArray(), [1]);
  await rejects(t, kv.init(0, ones(1)), { code: 'duplicate_key', key: 0, says: ['key 0'] });
});

onEveryPlane('S1: an empty list is no keys at all', async (t, open) => {
  const kv = await open();
  await kv.init([], []);
  await kv.push([], []);
  t.deepEqual(await kv.pull([]), []);
  t.deepEqual(await kv.pushpull([], []), []);
  t.deepEqual(kv.keys, []);
  await kv.init('a', ones(1)); // An empty list has not chosen a kind of key.
});

onEveryPlane('S1: tensors of no elements and scalars are values', async (t, open) => {
  const kv = await open();
  await kv.init(['none', 'one'], [zeros([0, 3]), tensor(2)]);
  await kv.push(
    ['none', 'one'],
    [
      [zeros([0, 3]), zeros([0, 3])],
      [tensor(2), tensor(3)],
    ],
  );
  t.deepEqual((await kv.pull('none')).shape, [0, 3]);
  t.is((await kv.pull('one')).toArray(), 5);
});

onEveryPlane('S1: a list with a key that exists changes nothing', async (t, open) => {
  const kv = await open();
  await kv.init(5, tensor([1, 2]));
  await rejects(t, kv.init([4, 5, 6], [ones(2), ones(2), ones(2)]), {
    code: 'duplicate_key',
    key: 5,
    says: ['key 5', 'once'],
  });
  t.deepEqual(kv.keys, [5]);
  t.is(kv.stats().keys, 1);
  t.deepEqual((await kv.pull(5)).toArray(), [1, 2]);
  await rejects(t, kv.pull(4), { code: 'unknown_key', key: 4 });
  await kv.init([4, 6], [ones(2), ones(2)]);
});

onEveryPlane('S1: a list that names a new key twice changes nothing', async (t, open) => {
  const kv = await open();
  const twice = kv.init(['a', 'b', 'a'], [ones(1), ones(1), zeros(1)]);
  await rejects(t, twice, { code: 'duplicate_key', key: 'a' });
  t.deepEqual(kv.keys, []);
  t.is(kv.stats().storeBytes, 0);
  await kv.init(1, ones(1)); // Nor has the refused list chosen a kind of key.
});

onEveryPlane('S1: integer and string keys never live in one store', async (t, open) => {
  const kv = await open();
  const mixed = kv.init([1, 'a'] as never, [ones(1), ones(1)]);
  await rejects(t, mixed, { code: 'mixed_key_types', key: 'a', says: ['number', '"a"'] });
  await kv.init(1, ones(1));
  const later = kv.init('a', ones(1));
  await rejects(t, later, { code: 'mixed_key_types', key: 'a', says: ['number', '"a"'] });
  for (const call of [kv.push('a', ones(1)), kv.pull('a'), kv.pushpull('a', ones(1))]) {
    await rejects(t, call, { code: 'mixed_key_types', key: 'a' });
  }
  t.deepEqual(kv.keys, [1]);
});

onEveryPlane('S8: broadcast is init, then a pull to every out', async (t, open) => {
  const kv = await open();
  const outs = [zeros(2), zeros(2)];
  t.is(await kv.broadcast('w', tensor([3, 4]), { out: outs }), outs);
  for (const out of outs) t.deepEqual(out.toArray(), [3, 4]);
  t.deepEqual((await kv.pull('w')).toArray(), [3, 4]);

  const [a, b] = [zeros(1), [zeros(1), zeros(1)]];
  await kv.broadcast(['a', 'b'], [tensor([1]), tensor([2])], { out: [a, b], priority: 1 });
  t.deepEqual(
    [a, ...b].map((each) => each.data[0]),
    [1, 2, 2],
  );
});

onEveryPlane('S8: a broadcast into the value itself leaves it as it is', async (t, open) => {
  const kv = await open();
  const value = tensor([3, 4]);
  await kv.broadcast('w', value, { out: [value, value] });
  t.deepEqual(value.toArray(), [3, 4]);
});

onEveryPlane('S8: a broadcast that is refused makes no key', async (t, open) => {
  const kv = await open();
  const out = zeros(3);
  await rejects(t, kv.broadcast(['a', 'b'], [ones(2), ones(2)], { out: [zeros(2), out] }), {
    code: 'shape_mismatch',
    key: 'b',
    says: ['[2]', '[3]'],
  });
  t.deepEqual(kv.keys, []);
  t.deepEqual(out.toArray(), [0, 0, 0]);
  await kv.init('a', ones(1));
  await rejects(t, kv.broadcast('a', ones(1), { out: zeros(1) }), {
    code: 'duplicate_key',
    key: 'a',
  });
});
