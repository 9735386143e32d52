import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import {
  createKVStore,
  full,
  type KVStore,
  KVStoreError,
  ones,
  zeros,
  type GroupEvent,
} from '../../src/index.js';
import { smallHeap } from '../helpers/deaths.js';
import { openGroup } from '../helpers/groups.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { temporaryFolder, temporaryModule } from '../helpers/temporary.js';
import { launchProgram, program, rejects, runChild } from '../helpers/workers.js';

// Faults that other files do not inject; docs/reliability.md has the table of all.

const libraryUrl = new URL('../../src/index.js', import.meta.url).href;

/** This thread does nothing for so long. */
function block(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs); // Nobody notifies.
}

test.serial('a coordinator that reads nothing more is sent no more than 1,024 calls', async (t) => {
  const kv = await createKVStore('local', { timeoutMs: 1000 });
  await kv.init(0, zeros(4));
  const out = zeros(4);
  const hanging = kv.setUpdater(temporaryModule(t, 'for (;;); export default () => {};'));
  const before = process.memoryUsage.rss();
  const pulls = Array.from({ length: 10_000 }, () => kv.pull(0, { out }));
  const ends = await Promise.allSettled([...pulls, hanging]);
  const codes = ends.map((end) =>
    end.status === 'rejected' ? (end.reason as KVStoreError).code : 'done',
  );
  t.is(codes.filter((code) => code === 'timeout').length, 1024);
  t.is(codes.filter((code) => code === 'queue_full').length, 10_001 - 1024);
  t.true(process.memoryUsage.rss() - before < 100e6);
  t.is(kv.stats().inFlight, 0);
  await kv.close();
});

test('D6: a wall clock that jumps changes nothing: deadlines are of the monotonic one', async (t) => {
  // Every look at the wall clock of any thread gives another century, there and back.
  const clock = join(temporaryFolder(t), 'clock.cjs');
  writeFileSync(clock, 'let looks = 0; Date.now = () => (looks++ % 2 === 0 ? 9e12 : 1e12);');
  const { code, stdout, stderr } = await runChild(
    `const { full, ones, zeros } = lib;
    const kv = await lib.createKVStore('local', { timeoutMs: 2000 });
    await kv.init('w', zeros(2));
    for (let i = 0; i < 200; i++) await kv.push('w', ones(2));
    await kv.close();
    const url = ${JSON.stringify(program('straggler').href)};
    const args = { gate: full(2, 0, { dtype: 'int32' }) };
    const group = await lib.launch(url, { devices: 2, timeoutMs: 1500, args });
    const [{ code, rank }, late] = await group.done;
    console.log(Date.now() > Date.now(), code, rank, late);`,
    { NODE_OPTIONS: `--require=${clock}` },
  );
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'true timeout 1 late\n', stderr: '' });
});

test.serial('a caller that never awaits is refused, and memory ends growing', async (t) => {
  // A group whose coordinator reads nothing, for nobody steps it.
  const [kv] = (await InlineGroup.open(t, { workers: 1 })).stores as [KVStore];
  let refused = 0;
  const note = ({ code }: KVStoreError): void => void (refused += Number(code === 'queue_full'));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used: number[] = [];
  for (let i = 1; i <= 200; i++) {
    for (let j = 0; j < 1000; j++) kv.barrier().catch(note);
    await nextTurn();
    if (i % 100 > 0) continue;
    collect();
    used.push(process.memoryUsage().heapUsed);
  }
  t.is(kv.stats().inFlight, 1024 + 65_536);
  t.is(refused, 200_000 - 1024 - 65_536);
  // The second 100,000 calls would take more than 100 MB, if they were kept.
  t.true(used[1]! - used[0]! < 20e6, `${used[1]! - used[0]!} bytes more`);
});

test('a device that reads nothing for long has the last of many settings once it reads', async (t) => {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const group = await launchProgram<number>(t, 'deaf', {
    devices: 2,
    type: 'dist_async',
    args: { flag },
  });
  t.deepEqual(await group.done, [1000, 1000]);
});

test.serial(
  'D6: a main thread that is blocked for seconds learns of a death afterwards',
  async (t) => {
    const options = { devices: 3, args: { how: 'exit 3', rank: 1 } };
    const group = await launchProgram(t, 'misbehaving', options);
    const events: GroupEvent[] = [];
    for await (const event of group) {
      if (events.length === 0) block(2500);
      events.push(event);
    }
    await rejects(t, group.done, { code: 'peer_dead', rank: 1 });
    const results = events.flatMap((event) => (event.type === 'finished' ? [event.result] : []));
    t.deepEqual(
      results.map((result) => (result as { code: string }).code),
      ['peer_dead', 'peer_dead'],
    );
  },
);

test.serial('D6: a device that fills its heap is lost, and the others are told', async (t) => {
  const args = JSON.stringify({ how: 'heap', rank: 1 });
  const { code, stdout, stderr } = await runChild(
    `const group = await lib.launch('${program('misbehaving').href}', { devices: 3, args: ${args} });
     for await (const { type, rank, result } of group)
       if (type !== 'report') console.log(type, rank, result?.code ?? '');
     await group.done.catch(({ code, rank, message }) => console.log(code, rank, message));`,
    smallHeap,
  );
  t.is(code, 0, stderr);
  const lines = stdout.trim().split('\n');
  t.deepEqual(lines.slice(0, 3).toSorted(), [
    'finished 0 peer_dead',
    'finished 2 peer_dead',
    'lost 1 ',
  ]);
  t.regex(lines[3]!, /^peer_dead 1 .*memory/);
});

onEveryPlane(
  'S12: an updater that makes another shape fails and changes nothing',
  async (t, open) => {
    const kv = await open();
    await kv.init('w', ones([2, 2]));
    await kv.setUpdater((_, input, stored) => void stored.add_(input).copyFrom(zeros([4])));
    await rejects(t, kv.push('w', ones([2, 2])), {
      code: 'updater_error',
      key: 'w',
      says: ['shape'],
    });
    t.deepEqual((await kv.pull('w')).toArray(), [
      [1, 1],
      [1, 1],
    ]);
  },
);

onEveryPlane(
  'S2: a tensor that is written to in flight gives old or new elements',
  async (t, open) => {
    const kv = await open();
    for (const length of [10, 100_000]) {
      await kv.init(length, zeros(length));
      const value = ones(length);
      for (let i = 1; i < 20; i++) {
        const push = kv.push(length, value);
        value.fill(i + 1);
        await push;
        const pull = kv.pull(length, { out: value }); // What was pushed is now filled.
        const view = await kv.pull(length, { view: true });
        t.true(view.data.every((each) => each === i || each === i + 1));
        view.release();
        await pull;
        value.fill(i + 1);
        await kv.push(length, value);
        t.true((await kv.pull(length)).data.every((each) => each === i + 1));
      }
    }
  },
);

for (const side of ['thread', 'engine', 'reference'] as const) {
  test.serial(`a tensor that nobody holds is kept while it is in flight (${side})`, async (t) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const options = { type: 'dist_sync', workers: 2, timeoutMs: 60_000 };
    const { stores, close } = await openGroup(side, options);
    const [first, second] = [stores[0]!, stores[1]!];
    const length = 400_000;
    await Promise.all(stores.map((kv) => kv.init(0, zeros(length))));
    for (let i = 1; i <= 5; i++) {
      const open = [first.push(0, full(length, i)), first.pull(0)];
      for (let turn = 0; turn < 3; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        collect();
        zeros(length).fill(-1); // Whatever was freed is written over.
      }
      await second.push(0, full(length, 2 * i));
      const [, pulled] = (await Promise.all(open)) as [void, { readonly data: Float32Array }];
      t.true(pulled.data.every((each) => each === 3 * i));
    }
    await close();
  });
}

test.serial('a process that is forked has stores of its own', async (t) => {
  const kv = await createKVStore('dist_sync');
  await kv.init(0, zeros(1000));
  const child = fork(fileURLToPath(program('forked')));
  const [message, exit] = [once(child, 'message'), once(child, 'exit')];
  let pushes = 0;
  let hasExited = false;
  void exit.then(() => (hasExited = true));
  for (; !hasExited; pushes++) {
    await kv.push(0, full(1000, pushes));
    await new Promise((resolve) => setImmediate(resolve)); // Calls alone leave no turn to events.
  }
  t.deepEqual(await message, [-20, undefined]);
  t.deepEqual(await exit, [0, null]);
  t.is((await kv.pull(0)).data[0], pushes - 1);
  await kv.close();
});

const posixTest = process.platform === 'win32' ? test.skip : test.serial;

posixTest(
  'S16: a save that the disk has no room for fails, and the file before stays',
  async (t) => {
    const folder = temporaryFolder(t);
    const path = JSON.stringify(join(folder, 'a.safetensors'));
    const code = `
    import * as lib from ${JSON.stringify(libraryUrl)};
    const kv = await lib.createKVStore('local');
    await kv.init('small', lib.full(1000, 7));
    await kv.save(${path});
    await kv.init('large', lib.ones(1_000_000));
    console.log(await kv.save(${path}).catch(({ code, message }) => code + ' ' + message));
    await kv.push('small', lib.full(1000, 8));
    console.log((await kv.pull('small')).data[0]);
    const other = await lib.createKVStore('local');
    await other.load(${path});
    console.log(other.keys.join(), (await other.pull('small')).data[0]);
    await Promise.all([kv.close(), other.close()]);`;
    // No file may be larger than 1 MiB: the write that gets there is cut short, the next one fails.
    const limited = `ulimit -f 1024; exec "$0" --input-type=module -e "$1"`;
    const child = spawn('bash', ['-c', limited, process.execPath, code], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const lines = stdout.trim().split('\n');
    t.regex(lines[0]!, /^bad_checkpoint .*a\.safetensors.*EFBIG/, stderr);
    t.deepEqual(lines.slice(1), ['8', 'small 7']);
    t.deepEqual(readdirSync(folder), ['a.safetensors']);
  },
);
