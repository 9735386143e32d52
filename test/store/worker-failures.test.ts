import test, { type ExecutionContext } from 'ava';
import { createKVStore, ones, zeros, type GroupEvent, type WorkerGroup } from '../../src/index.js';
import { temporaryModule } from '../helpers/temporary.js';
import { launchProgram, program, rejects } from '../helpers/workers.js';
import type { How } from '../workers/misbehaving.js';

const ways: readonly (readonly [How, string])[] = [
  ['throw', 'RangeError: a fault'],
  ['throw words', 'just words'],
  ['reject', 'TypeError: a rejection'],
  ['exit 0', 'exited with code 0'],
  ['exit 3', 'exited with code 3'],
  ['uncaught', 'RangeError: an uncaught fault'],
];

async function eventsOf(group: WorkerGroup): Promise<GroupEvent[]> {
  const events: GroupEvent[] = [];
  for await (const event of group) events.push(event);
  return events;
}

/** The event of the one loss, which names rank and reason. */
function assertLost(t: ExecutionContext, events: GroupEvent[], rank: number, reason: string): void {
  const lost = events.flatMap((event) => (event.type === 'lost' ? [event] : []));
  t.is(lost.length, 1);
  t.is(lost[0]!.rank, rank);
  t.is(lost[0]!.error.code, 'peer_dead');
  t.is(lost[0]!.error.rank, rank);
  t.true(lost[0]!.error.message.includes(reason), lost[0]!.error.message);
}

for (const [how, reason] of ways) {
  test.serial(`D6: abort: when a worker ends by "${how}" the others are told`, async (t) => {
    const options = { devices: 3, args: { how, rank: 1 } };
    const group = await launchProgram(t, 'misbehaving', options);
    const events = await eventsOf(group);
    assertLost(t, events, 1, reason);
    await rejects(t, group.done, { code: 'peer_dead', rank: 1, says: ['rank 1', reason] });
    const finished = events.flatMap((event) => (event.type === 'finished' ? [event] : []));
    t.deepEqual(finished.map(({ rank }) => rank).toSorted(), [0, 2]);
    for (const { result } of finished) {
      const { message, ...rest } = result as { message: string };
      t.deepEqual(rest, { code: 'peer_dead', key: 0, rank: 1, stored: 3 } as never);
      t.true(message.includes(reason), message);
    }
  });

  test.serial(`D6: continue: when a worker ends by "${how}" the others go on`, async (t) => {
    const options = { devices: 3, onDeath: 'continue', args: { how, rank: 2 } } as const;
    const group = await launchProgram(t, 'misbehaving', options);
    const [first, second, lost] = await group.done;
    t.deepEqual(first, { sum: 20, dead: 1, live: (first as { live: number }).live });
    t.is((second as { sum: number }).sum, 20);
    t.is(lost, undefined);
    assertLost(t, await eventsOf(group), 2, reason);
  });
}

const causes: [How, string, unknown][] = [
  ['throw', 'RangeError: a fault', { name: 'RangeError', message: 'a fault' }],
  ['reject', 'TypeError: a rejection', { name: 'TypeError', message: 'a rejection' }],
  [
    'uncaught',
    'RangeError: an uncaught fault',
    { name: 'RangeError', message: 'an uncaught fault' },
  ],
  ['throw its own', 'OwnError: a fault', { name: 'OwnError', message: 'a fault' }],
  ['throw of node', 'ENOENT', { name: 'Error', code: 'ENOENT', syscall: 'open' }],
  [
    'throw many',
    'both failed',
    {
      name: 'AggregateError',
      step: 7,
      errors: [{ message: 'one' }, { name: 'KVStoreError', code: 'bad_argument' }],
      cause: { name: 'TypeError', message: 'the cause' },
    },
  ],
  ['throw ours', 'key 99', { name: 'KVStoreError', code: 'unknown_key', key: 99 }],
];

for (const [how, says, expected] of causes) {
  test.serial(
    `D6: what a worker threw is the cause, with its name and stack: ${how}`,
    async (t) => {
      const group = await launchProgram(t, 'misbehaving', { devices: 1, args: { how, rank: 0 } });
      const error = await rejects(t, group.done, { code: 'peer_dead', rank: 0, says: [says] });
      t.true(error.cause instanceof Error);
      t.like(error.cause, expected as object);
      t.true((error.cause as Error).stack?.includes('misbehaving'));
    },
  );
}

test.serial(
  'D6: a worker may throw anything, and what cannot be copied comes as words',
  async (t) => {
    for (const [how, cause] of [
      ['throw words', 'just words'],
      ['throw an object', { loss: NaN, step: 7 }],
      ['throw a function', 'a function fault'],
      ['throw nothing', undefined],
    ] as const) {
      const group = await launchProgram(t, 'misbehaving', { devices: 1, args: { how, rank: 0 } });
      const error = await rejects(t, group.done, { code: 'peer_dead', rank: 0 });
      t.deepEqual(error.cause, cause);
    }
  },
);

test.serial('D7: a worker that returns early leaves in good order', async (t) => {
  const options = { devices: 3, args: { how: 'return', rank: 1 } };
  const results = await (await launchProgram(t, 'misbehaving', options)).done;
  t.is(results[1], 'returned');
  for (const rank of [0, 2]) {
    const { sum, dead } = results[rank] as { sum: number; dead: number };
    t.deepEqual([sum, dead], [20, 0]);
  }
});

test.serial('D6: the death of all workers ends the group', async (t) => {
  for (const onDeath of ['abort', 'continue'] as const) {
    const options = { devices: 1, onDeath, args: { how: 'exit 3', rank: 0 } } as const;
    const group = await launchProgram(t, 'misbehaving', options);
    if (onDeath === 'continue') t.deepEqual(await group.done, [undefined]);
    else await rejects(t, group.done, { code: 'peer_dead', rank: 0 });
  }
});

test.serial('timeout: a push names the worker that is missing', async (t) => {
  const gate = zeros(2, { dtype: 'int32' });
  const options = { devices: 3, timeoutMs: 4000, args: { gate } };
  const group = await launchProgram(t, 'straggler', options);
  const [first, second, late] = await group.done;
  t.is(late, 'late');
  for (const each of [first, second]) {
    const { message, ...rest } = each as { message: string };
    t.deepEqual(rest, { code: 'timeout', key: 'w', rank: 2 } as never);
    t.true(message.includes('key "w"') && message.includes('rank 2'), message);
  }
});

for (const [onDeath, ends] of [
  ['abort', ['peer_dead', 'peer_dead']],
  ['continue', [20, 20]],
] as const) {
  test.serial(`D6: a worker that stalls is dead, and ended: ${onDeath}`, async (t) => {
    for (const how of ['hang', 'spin'] as const) {
      const options = { devices: 3, onDeath, timeoutMs: 1500, args: { how, rank: 1 } };
      const group = await launchProgram(t, 'misbehaving', options);
      const events = await eventsOf(group);
      assertLost(t, events, 1, 'did nothing for');
      const seen = events.flatMap((event) => (event.type === 'finished' ? [event.result] : []));
      t.deepEqual(
        seen.map((each) => (each as { code?: string }).code ?? (each as { sum: number }).sum),
        [...ends],
      );
      if (onDeath === 'continue') t.is((await group.done)[1], undefined);
      else await rejects(t, group.done, { code: 'peer_dead', rank: 1, says: ['did nothing for'] });
    }
  });
}

test.serial('stop ends devices that hang, and done rejects with closed', async (t) => {
  const options = { devices: 2, args: { how: 'hang', rank: 1 } };
  const group = await launchProgram(t, 'misbehaving', options);
  for await (const event of group) if (event.type === 'report') break; // Rank 0 waits, 1 hangs.
  await Promise.all([group.stop(), group.stop()]);
  await rejects(t, group.done, { code: 'closed', says: ['stopped'] });
  await group.stop();
});

test.serial('stop right after launch leaves nothing behind', async (t) => {
  const group = await launchProgram(t, 'misbehaving', {
    devices: 4,
    args: { how: 'hang', rank: 0 },
  });
  await group.stop();
  await rejects(t, group.done, { code: 'closed' });
  t.deepEqual(
    (await eventsOf(group)).filter(({ type }) => type === 'finished'),
    [],
  );
});

test.serial('stop after the end changes nothing', async (t) => {
  const options = { devices: 1, args: { how: 'return', rank: 0 } };
  const group = await launchProgram(t, 'misbehaving', options);
  t.deepEqual(await group.done, ['returned']);
  await group.stop();
  t.deepEqual(await group.done, ['returned']);
});

test.serial('a module without a program loses every worker', async (t) => {
  const group = await launchProgram(t, 'no-program', { devices: 2 });
  const error = await group.done.catch((thrown: unknown) => thrown as { message: string });
  t.true((error as { message: string }).message.includes('defineWorker'));
  t.is((await eventsOf(group)).filter(({ type }) => type === 'lost').length, 2);
});

test.serial('a coordinator that hangs in loading a module is noticed and ended', async (t) => {
  const kv = await createKVStore('local', { timeoutMs: 1000 });
  await kv.init(0, zeros(1));
  const setting = kv.setUpdater(temporaryModule(t, 'for (;;); export default () => {};'));
  const says = ['coordinator', 'stopped answering'];
  await rejects(t, setting, { code: 'timeout', says });
  await rejects(t, kv.pull(0), { code: 'timeout', says });
  await kv.close();
});

test.serial('S10: while the coordinator works the event loop of the caller turns', async (t) => {
  const kv = await createKVStore('local');
  t.teardown(() => kv.close());
  await kv.init(0, zeros(1));
  await kv.setUpdater(program('updater-slow'));
  let working = true;
  const push = kv.push(0, ones(1).fill(20)).then(() => (working = false));
  let turns = 0;
  for (; working; turns++) await new Promise((resolve) => setImmediate(resolve));
  await push;
  t.true(turns > 10, `only ${turns} turns`);
});
