import { setTimeout } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { devices, synchronize } from '../../src/cuda.js';
import {
  cpu,
  createKVStore,
  launch,
  zeros,
  type AnyTensor,
  type LaunchOptions,
} from '../../src/index.js';
import { first, sameBits, serialCudaTest as test, tameTensor } from '../helpers/cuda.js';
import { seed } from '../helpers/random.js';
import { program, rejects } from '../helpers/workers.js';
import type { Args } from '../workers/cuda-rounds.js';

interface Result {
  readonly outs: readonly AnyTensor[];
  readonly start: AnyTensor;
  readonly failures: number;
}

interface Run {
  readonly reports: readonly AnyTensor[];
  readonly results: readonly (Result | undefined)[];
}

async function run(
  t: ExecutionContext,
  args: Omit<Args, 'seed' | 'rounds' | 'start'>,
  options: LaunchOptions,
): Promise<Run> {
  const start = tameTensor('float32', [10], seed).to(args.onCuda ? first : cpu());
  const group = await launch<Result>(program('cuda-rounds'), {
    ...options,
    args: { ...args, seed, rounds: 6, start } satisfies Args,
  });
  t.teardown(() => group.stop());
  const reports: AnyTensor[] = [];
  for await (const event of group) {
    if (event.type === 'report' && event.rank === 0) reports.push(event.data as AnyTensor);
  }
  return { reports, results: await group.done };
}

const places = [
  ['dist_sync', false],
  ['dist_device_sync', false],
  ['dist_device_sync', true],
] as const;
for (const [type, together] of places) {
  for (const devices of [1, 3, 4]) {
    const where = together ? 'one device, again and again' : 'devices';
    test(`${devices} workers of ${type} train on ${where} with the bits of the CPU`, async (t) => {
      const here = await run(t, { onCuda: false, together }, { devices, type });
      const there = await run(t, { onCuda: true, together }, { devices, type });
      t.is(there.reports.length, 6);
      for (const [i, report] of here.reports.entries()) {
        t.deepEqual(there.reports[i]!.device, first);
        sameBits(t, there.reports[i]!, report, `report ${i}`);
      }
      for (const [rank, result] of here.results.entries()) {
        const other = there.results[rank]!;
        for (const [key, out] of result!.outs.entries()) {
          sameBits(t, other.outs[key]!, out, `rank ${rank}, key ${key}`);
        }
        sameBits(t, other.start, result!.start, `what rank ${rank} was given`);
        t.deepEqual(other.start.device, first);
      }
    });
  }
}

for (const [how, together] of [
  ['throw', false],
  ['exit', false],
  ['throw', true],
] as const) {
  const what = `${how}${together ? ', all on one device' : ''}`;
  test(`continue: a worker that dies (${what}) leaves work on devices, and the others go on`, async (t) => {
    const options = { devices: 3, type: 'dist_device_sync', onDeath: 'continue' } as const;
    const { results } = await run(t, { onCuda: true, together, dies: { rank: 1, how } }, options);
    t.is(results[1], undefined);
    for (const [key, out] of results[0]!.outs.entries()) {
      sameBits(t, results[2]!.outs[key]!, out, `key ${key}`);
    }
    t.true(results[0]!.outs.every((out) => out.toFloat32().every(Number.isFinite)));
  });
}

test('abort: when a worker dies the others are told, and go on with what is left', async (t) => {
  const dies = { rank: 2, how: 'exit' } as const;
  const options = { devices: 3, type: 'dist_device_sync' } as const;
  await rejects(t, run(t, { onCuda: true, dies }, options), { code: 'peer_dead', rank: 2 });
});

test('restart: a worker that is started anew goes on with keys on devices', async (t) => {
  const options = { devices: 3, type: 'dist_device_sync', onDeath: 'restart' } as const;
  const dies = { rank: 1, how: 'throw' } as const;
  await t.notThrowsAsync(run(t, { onCuda: true, dies }, options));
});

test('a group is stopped while work for devices is under way', async (t) => {
  const start = tameTensor('float32', [10], seed).to(first);
  const group = await launch(program('cuda-rounds'), {
    devices: 3,
    type: 'dist_device_sync',
    args: { onCuda: true, seed, rounds: 10_000, start } satisfies Args,
  });
  let count = 0;
  for await (const event of group) {
    if (event.type === 'report' && ++count === 20) break;
  }
  await group.stop();
  await rejects(t, group.done, { code: 'closed' });
  t.true(start.toFloat32().every(Number.isFinite));
});

test('what a store had on a device is given back when it has ended', async (t) => {
  const value = zeros([2 ** 22], { device: first });
  let free: number | undefined;
  for (let i = 0; i < 6; i++) {
    const kv = await createKVStore('device');
    await kv.init('w', value);
    await kv.setOptimizer('adam');
    await kv.push('w', value);
    await kv.pull('w', { out: value });
    await kv.close();
    synchronize(first);
    // The driver keeps what was freed for the next one.
    free ??= freeBytes();
    // The thread of the store ends behind its answer.
    for (let look = 0; look < 1000 && freeBytes() < free - 2 ** 24; look++) await setTimeout(10);
    t.true(freeBytes() >= free - 2 ** 24, `store ${i}`);
  }
});

function freeBytes(): number {
  return devices()[first.index]!.freeBytes;
}
