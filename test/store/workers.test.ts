import test from 'ava';
import { full, launch, zeros, type KVStoreError, type Tensor } from '../../src/index.js';
import { seed } from '../helpers/random.js';
import { launchProgram, program, rejects } from '../helpers/workers.js';

test.serial('D2: 8 devices push 50 keys in random order and every sum is exact', async (t) => {
  t.log(`TENSORKV_SEED=${seed}`);
  const args = { seed, keys: 50, rounds: 10 };
  const group = await launchProgram<number>(t, 'sums', { devices: 8, args });
  t.deepEqual(await group.done, [0, 0, 0, 0, 0, 0, 0, 0]);
});

for (const type of ['dist', 'dist_sync', 'dist_device_sync', 'DIST_SYNC_DEVICE']) {
  test.serial(`D2: sums are exact with type ${type}`, async (t) => {
    const args = { seed, keys: 5, rounds: 3 };
    const group = await launchProgram<number>(t, 'sums', { devices: 3, type, args });
    t.deepEqual(await group.done, [0, 0, 0]);
  });
}

test.serial('D3, D5: every push of dist_async is one step from the value of rank 0', async (t) => {
  const options = { devices: 3, type: 'dist_async' };
  const group = await launchProgram<number>(t, 'asynchronous', options);
  t.deepEqual(await group.done, [70, 70, 70]);
});

for (const [kind, args] of [
  ['function of rank 0', {}],
  ['module', { url: program('updater-add').href }],
] as const) {
  test.serial(`S12: the updater of a group, a ${kind}, runs once a round`, async (t) => {
    const group = await launchProgram<number[]>(t, 'updaters', { devices: 3, args });
    t.deepEqual(await group.done, [
      [12, 24],
      [12, 24],
      [12, 24],
    ]);
  });
}

test.serial('a group of one device is a group', async (t) => {
  const group = await launchProgram<number>(t, 'sums', {
    devices: 1,
    args: { seed, keys: 3, rounds: 2 },
  });
  t.deepEqual(await group.done, [0]);
});

test.serial('V5: arguments, reports and results share tensors without a copy', async (t) => {
  const list = [zeros(1), zeros(1)];
  const gate = zeros(1, { dtype: 'int32' });
  const options = { devices: 2, args: { nested: { list }, gate } };
  const group = await launchProgram<{ own: Tensor; seen: number }>(t, 'sharing', options);
  const reported: Tensor[] = [];
  const kinds: string[] = [];
  for await (const event of group) {
    kinds.push(event.type);
    if (event.type !== 'report') continue;
    const { own, text } = event.data as { own: Tensor; text: string };
    t.is(text, `rank ${event.rank}`);
    t.deepEqual(own.device, { type: 'cpu', index: event.rank });
    reported[event.rank] = own.fill(7 + event.rank); // Seen by the worker, which waits.
    if (reported.filter(Boolean).length < 2) continue;
    Atomics.store(gate.data as Int32Array, 0, 1);
    Atomics.notify(gate.data as Int32Array, 0);
  }
  t.deepEqual(kinds.toSorted(), ['finished', 'finished', 'report', 'report']);
  t.deepEqual(
    list.map((each) => each.data[0]),
    [1, 2],
  );
  for (const [rank, { own, seen }] of (await group.done).entries()) {
    t.is(seen, 7 + rank);
    reported[rank]!.fill(0);
    t.deepEqual([...own.data], [0, 0, 0, 0]);
    t.is(own.data.buffer.byteLength, reported[rank]!.data.buffer.byteLength);
  }
});

test.serial('a program that leaves calls and timers open ends with its result', async (t) => {
  const group = await launchProgram<string>(t, 'open-ends', { devices: 2 });
  t.deepEqual(await group.done, ['rank 0', 'rank 1']);
});

test.serial('what cannot cross a thread loses the worker with a reason', async (t) => {
  for (const args of ['report', 'result']) {
    const group = await launchProgram(t, 'uncloneable', { devices: 1, args });
    await rejects(t, group.done, { code: 'peer_dead', rank: 0, says: ['could not be cloned'] });
  }
});

test.serial('launch refuses bad arguments before it starts anything', async (t) => {
  const url = program('sums');
  const bad: [unknown, unknown, string, string[]][] = [
    [url, undefined, 'bad_argument', ['options', 'undefined']],
    [url, {}, 'bad_argument', ['devices', 'undefined']],
    [url, { devices: 0 }, 'bad_argument', ['devices', 'got 0']],
    [url, { devices: 1.5 }, 'bad_argument', ['devices', '1.5']],
    [url, { devices: '2' }, 'bad_argument', ['devices', '"2"']],
    [url, { devices: 2, typ: 'dist' }, 'bad_argument', ['"typ"', 'type']],
    [url, { devices: 2, type: 'local' }, 'bad_argument', ['dist_', '"local"']],
    [url, { devices: 2, type: 'moon' }, 'unknown_type', ['"moon"']],
    [url, { devices: 2, staleness: 1 }, 'bad_argument', ['staleness', 'dist_ssp']],
    [url, { devices: 2, restarts: { max: 1 } }, 'bad_argument', ['restarts', 'abort']],
    [url, { devices: 2, onDeath: 'restart', restarts: { max: -1 } }, 'bad_argument', ['max']],
    [
      url,
      { devices: 2, onDeath: 'restart', restarts: { withinMs: 0 } },
      'bad_argument',
      ['withinMs'],
    ],
    [url, { devices: 2, onDeath: 'restart', restarts: { most: 1 } }, 'bad_argument', ['most']],
    [url, { devices: 2, onDeath: 'cry' }, 'bad_argument', ['abort', '"cry"']],
    [url, { devices: 2, timeoutMs: 0 }, 'bad_argument', ['timeoutMs', 'got 0']],
    [url, { devices: 2, guard: 'none' }, 'bad_argument', ['guard', '"none"']],
    [url, { devices: 2, updaterTimeoutMs: -1 }, 'bad_argument', ['updaterTimeoutMs', '-1']],
    [url, { devices: 2, memoryLimit: NaN }, 'bad_argument', ['memoryLimit', 'NaN']],
    ['worker.js', { devices: 2 }, 'bad_argument', ['URL', '"worker.js"']],
    [undefined, { devices: 2 }, 'bad_argument', ['URL', 'undefined']],
    [program('nowhere'), { devices: 2 }, 'bad_argument', ['exists', 'nowhere']],
  ];
  for (const [where, options, code, says] of bad) {
    const refused = launch(where as never, options as never);
    await rejects(t, refused, { code: code as never, says });
  }
});

test.serial('memory_limit holds for a group', async (t) => {
  const args = { seed, keys: 50, rounds: 1 };
  const group = await launchProgram(t, 'sums', { devices: 2, memoryLimit: 399, args });
  // Both ranks are told at once; which of them is lost first is up to their threads.
  const error = await t.throwsAsync<KVStoreError>(group.done, { code: 'peer_dead' });
  t.regex(error.message, /400 bytes/);
  t.is((error.cause as { code: string }).code, 'memory_limit');
});

test.serial('shared arguments may be large', async (t) => {
  const list = [full([1000, 1000], 1), zeros(1)];
  const gate = full(1, 1, { dtype: 'int32' });
  const options = { devices: 1, args: { nested: { list }, gate } };
  await (
    await launchProgram(t, 'sharing', options)
  ).done;
  t.true(list[0]!.data.every((x) => x === 1));
});
