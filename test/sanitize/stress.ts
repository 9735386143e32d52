import { createKVStore, full, launch, ones, zeros, type LaunchOptions } from '../../src/index.js';
import { Random, seed } from '../helpers/random.js';
import type { StressArgs } from './stress-device.js';

/**
 * Puts the store under load for a sanitizer: device threads with lists, views, blocking calls,
 * settings and deaths, and a store that is closed with calls under way. Ends with exit code 0 when
 * all values were right; what the sanitizer finds it says itself. `node stress.js [groups]`.
 */

const devices = 3;
const program = new URL('./stress-device.js', import.meta.url);

/** Calls that one group made. Rejects where a device saw a wrong value. */
async function group(start: number): Promise<number> {
  const random = new Random(start);
  const type = random.pick(['dist_sync', 'dist_async', 'dist_device_sync']);
  const mortal = random.chance(0.5) ? 1 + random.integer(devices - 1) : -1; // Settings are those of rank 0.
  const args: StressArgs = { seed: start, rounds: 30, mortal, isSync: type !== 'dist_async' };
  const options: LaunchOptions = { devices, type, onDeath: 'continue', timeoutMs: 60_000, args };
  await using running = await launch<number>(program, options);
  if (random.chance(0.2)) {
    const ended = running.done.catch(() => []); // `stop` rejects it with `closed`.
    for await (const event of running) if (event.type === 'report') break;
    await running.stop();
    return (await ended).length;
  }
  for await (const event of running) {
    if (event.type === 'lost' && event.rank !== mortal) throw event.error;
  }
  const calls = await running.done;
  return calls.reduce((sum: number, each: number | undefined) => sum + (each ?? 0), 0);
}

const lengths = [10, 1000, 100_000];

/** One caller, several devices, and calls that are open when the store closes. */
async function local(start: number): Promise<number> {
  const random = new Random(start);
  const store = await createKVStore(random.pick(['local', 'device']));
  const keys = lengths.map((_, key) => key);
  await store.init(
    keys,
    lengths.map((length) => zeros(length)),
  );
  const open: Promise<unknown>[] = [];
  for (let call = 0; call < 40; call++) {
    const key = random.pick(keys);
    open.push(store.push(key, [ones(lengths[key]!), ones(lengths[key]!)]));
    open.push(store.pull(key));
    if (random.chance(0.2)) await Promise.all(open.splice(0));
  }
  open.push(store.pushpull(0, full(lengths[0]!, 2)));
  const settled = Promise.allSettled(open);
  await store.close();
  await settled;
  return 81;
}

const groups = Number(process.argv[2] ?? 4);
let calls = 0;
for (let i = 0; i < groups; i++) calls += (await group(seed + i)) + (await local(seed + i));
process.stdout.write(`${groups} groups, ${calls} calls, TENSORKV_SEED=${seed}\n`);
