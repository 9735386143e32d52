import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { createKVStore, launch, ones, zeros } from '../../src/index.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { launchProgram, program, rejects, runChild } from '../helpers/workers.js';

test('a process with options of V8 can have stores', async (t) => {
  const options = ['--max-old-space-size=500', '--stack-size=900'];
  const script = fileURLToPath(program('opens-store'));
  await t.notThrowsAsync(promisify(execFile)(process.execPath, [...options, script]));
});

test('tensors that nobody holds do not fill the memory', async (t) => {
  // 3.2 GB in all, of which a few hundred MB may wait to be collected.
  const { code, stdout } = await runChild(`
    for (let i = 0; i < 200; i++) {
      lib.zeros([4_000_000]).fill(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(process.memoryUsage().rss < 1.5e9);
  `);
  t.is(stdout, 'true\n');
  t.is(code, 0);
});

test('messages that a program posts itself are not for the group', async (t) => {
  const group = await launchProgram(t, 'robust', { devices: 2, args: 'posts messages of its own' });
  t.deepEqual(await group.done, [0, 0]);
});

test('what a worker pushed last counts, awaited or not', async (t) => {
  const options = { devices: 2, args: 'does not await its last push' };
  const group = await launchProgram(t, 'robust', options);
  t.deepEqual(await group.done, [undefined, undefined]);
});

test('arguments that cannot be cloned are refused before anything starts', async (t) => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  for (const args of [{ f: () => 0 }, cyclic]) {
    const refused = launch(program('robust'), { devices: 1, args });
    await rejects(t, refused, { code: 'bad_argument', says: ['args', 'got'] });
  }
});

test('D5: a failed init of rank 0 fails those that wait for it', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2, memoryLimit: 100 });
  const [first, second] = group.stores as [InlineGroup['stores'][0], InlineGroup['stores'][0]];
  const waiting = second.init('big', zeros(1000));
  waiting.catch(() => undefined);
  await group.drain();
  await rejects(t, group.finish(first.init('big', zeros(1000))), {
    code: 'memory_limit',
    key: 'big',
  });
  await rejects(t, group.finish(waiting), { code: 'memory_limit', key: 'big' });
});

test('the error of a call that nobody awaits is an unhandled rejection', async (t) => {
  const { code, stderr } = await runChild(`
    const kv = await lib.createKVStore();
    kv.push('nothing', lib.ones(1));
    await kv.flush();
  `);
  t.is(code, 1);
  t.regex(stderr, /unknown_key/);
});

test('S19: close does not wait for what has no place in the mailbox', async (t) => {
  const kv = await createKVStore('local', { timeoutMs: 60_000 });
  await kv.init(0, zeros(1));
  const pushes = Array.from({ length: 3000 }, () => kv.push(0, ones(1)));
  await kv.close();
  t.true((await Promise.allSettled(pushes)).every(({ status }) => status === 'fulfilled'));
});

test('S10: calls that are awaited one after the other leave the event loop its turns', async (t) => {
  const kv = await createKVStore('local');
  t.teardown(() => kv.close());
  await kv.init(0, zeros(1));
  let hadTurn = false;
  setImmediate(() => (hadTurn = true));
  for (let calls = 0; calls < 1_000_000 && !hadTurn; calls++) await kv.push(0, ones(1));
  t.true(hadTurn);
});

test('a blocked caller does not take its coordinator for dead', async (t) => {
  const kv = await createKVStore('local', { timeoutMs: 500 });
  t.teardown(() => kv.close());
  await kv.init(0, zeros(1));
  const push = kv.push(0, ones(1));
  await new Promise((resolve) => setImmediate(resolve));
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, 3000); // Nobody notifies: the thread is busy for longer than the grace.
  await push;
  t.is((await kv.pull(0)).data[0], 1);
});
