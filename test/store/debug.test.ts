import test from 'ava';
import { createKVStore, full, launch, ones, rowSparse, zeros } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { program, rejects } from '../helpers/workers.js';

const debug = { debug: true } as const;

onEveryPlane('debug: a value that is written to while its push is open throws', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init(['w', 'b'], [zeros(4), zeros(4)]);
  const value = ones(4);
  const push = kv.push(['w', 'b'], [ones(4), value]);
  value.data[2] = 7;
  const says = ['key "b"', 'element 2 changed from 1 to 7'];
  await rejects(t, push, { code: 'bad_argument', key: 'b', says });
  await kv.push('w', value);
  t.deepEqual((await kv.pull('w')).toArray(), [1, 1, 7, 1]);
});

onEveryPlane('debug: values that rest until then do not', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init('w', zeros(4));
  const value = ones(4);
  await kv.push('w', [value, value]);
  value.fill(NaN); // It is the caller's again.
  await kv.push('w', value);
  await Promise.all([kv.push('w', value), kv.push('w', value), kv.push('w', full(4, 5))]);
  t.deepEqual((await kv.pull('w')).toArray(), [5, 5, 5, 5]);
});

onEveryPlane('debug: an out of an open call is not for another key', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init(['w', 'b'], [full(4, 3), zeros(4)]);
  const out = zeros(4);
  const pull = kv.pull('w', { out });
  const says = ['key "b"', 'key "w"'];
  const calls = [kv.push('b', out), kv.pull('b', { out })];
  const expected = { code: 'bad_argument', key: 'b', says } as const;
  await Promise.all(calls.map((call) => rejects(t, call, expected)));
  await pull;
  await kv.push('b', out); // It is the caller's again.
  t.deepEqual((await kv.pull('b')).toArray(), [3, 3, 3, 3]);
});

onEveryPlane('debug: a value of an open call is no out of another key', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init(['w', 'b'], [zeros(4), full(4, 9)]);
  const value = ones(4);
  const push = kv.push('w', value);
  const says = ['key "b"', 'key "w"'];
  await rejects(t, kv.pull('b', { out: value }), { code: 'bad_argument', key: 'b', says });
  await push;
  t.deepEqual((await kv.pull('w')).toArray(), [1, 1, 1, 1]);
});

onEveryPlane(
  'debug: calls on one key may hand tensors on, for they are in order',
  async (t, open) => {
    const kv = await open('local', debug);
    await kv.init('w', full(4, 2));
    await kv.setUpdater((_, input, stored) => void stored.add_(input));
    const x = zeros(4);
    const calls = [kv.pull('w', { out: x }), kv.push('w', x), kv.pull('w', { out: x })];
    calls.push(kv.pushpull('w', x));
    await Promise.all(calls);
    t.deepEqual(x.toArray(), [8, 8, 8, 8]);
  },
);

onEveryPlane('debug: rows of a row-sparse value are watched too', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init('w', zeros([6, 2]));
  const value = rowSparse({ shape: [6, 2], indices: [1, 4], rows: ones([2, 2]) });
  const push = kv.push('w', value);
  value.rows.data[3] = 5;
  const says = ['key "w"', 'element 3 changed from 1 to 5'];
  await rejects(t, push, { code: 'bad_argument', key: 'w', says });
  const { updates } = kv.stats();
  const other = kv.push('w', value);
  value.indices[1] = 5n;
  const says2 = ['key "w"', 'element 1 changed from 4 to 5'];
  await rejects(t, other, { code: 'bad_argument', key: 'w', says: says2 });
  t.is(kv.stats().updates, updates + 1); // It was applied, and is counted.
});

onEveryPlane('debug: what a key begins with may be written to at once', async (t, open) => {
  const kv = await open('local', debug);
  const value = ones(4);
  const init = kv.init('w', value);
  value.data[1] = 9;
  await t.notThrowsAsync(init);
});

onEveryPlane('debug: a call that fails leaves its tensors free', async (t, open) => {
  const kv = await open('local', debug);
  await kv.init(['w', 'b'], [zeros(4), zeros(4)]);
  const x = ones(4);
  await rejects(t, kv.pushpull('unknown', x), { code: 'unknown_key', key: 'unknown' });
  await rejects(t, kv.pull('w', { out: zeros(5) }), { code: 'shape_mismatch', key: 'w' });
  await kv.push('b', x);
  t.pass();
});

test('debug: without it nobody looks', async (t) => {
  const kv = await createKVStore('local', { coordinator: 'inline' });
  await kv.init('w', zeros(4));
  const value = ones(4);
  const push = kv.push('w', value);
  value.data[0] = 1;
  await t.notThrowsAsync(push);
  await kv.close();
  await rejects(t, createKVStore('local', { debug: 1 as never }), { code: 'bad_argument' });
});

test('debug: a group has it on every device, for calls that block too', async (t) => {
  const group = await launch(program('writes-in-flight'), { devices: 2, debug: true });
  const expected = ['bad_argument b', 'bad_argument b', 'done', 'done'];
  t.deepEqual(await group.done, [expected, expected]);
});
