import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { openCheckpoint } from '../../actors/checkpoint-file.js';
import { CoordinatorSupervisor } from '../../actors/supervisor.js';
import { Thread } from '../../actors/thread.js';
import { attachDevice, createEngine } from '../../native/engine.js';
import { kernels } from '../../native/kernels.js';
import { checkRounds } from '../../src/history/check-rounds.js';
import { checkStaleness } from '../../src/history/check-staleness.js';
import { checkSums, lanesFor } from '../../src/history/check-sums.js';
import { byKey, type Violation } from '../../src/history/operation.js';
import { readHistory, recorderMemories } from '../../src/history/recorder.js';
import { statusBytes } from '../../src/core/layout.js';
import { storeType } from '../../src/core/types.js';
import { KVStoreError } from '../../src/index.js';
import { Random, seed } from '../helpers/random.js';
import { steps, type Step } from '../helpers/steps.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { program } from '../helpers/workers.js';
import type { Vigil } from '../workers/mourner.js';

const types = ['local', 'dist_sync', 'dist_async', 'dist_ssp', 'dist_device_sync'];
const staleness = 1;
const limitMs = 300_000;

/** A death to come: where, in what kind of store, and how its devices call. */
interface Scene {
  readonly step: Step;
  readonly count: number;
  readonly type: string;
  readonly blocks: boolean;
  readonly seed: number;
}

/** Each step once, and every type of store with both kinds of calls in turn. */
function scenes(random: Random): Scene[] {
  const reached = steps.filter(({ isLeased }) => !isLeased || kernels.name === 'native');
  return random.shuffled(reached).map((step, i) => ({
    step,
    count: 1 + random.integer(step.times),
    type: types[i % types.length]!,
    blocks: i % (2 * types.length) < types.length,
    seed: random.integer(2 ** 31),
  }));
}

/** Two threads that are devices of one store after another. */
class Devices {
  readonly #threads = [0, 1].map((i) => {
    const entry = new URL('../workers/mourner.js', import.meta.url);
    return new Thread(`device ${i}`, entry, {});
  });

  /** What device `rank` finds wrong until its coordinator has died. */
  async mourn(rank: number, vigil: Vigil): Promise<readonly string[]> {
    const { worker } = this.#threads[rank]!;
    const answer = new Promise<readonly string[]>((resolve) => worker.once('message', resolve));
    worker.postMessage(vigil, vigil.address ? [vigil.address.port as MessagePort] : []);
    return this.#threads[rank]!.whileAlive(answer);
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

/** Runs a scene; returns all that is wrong with it. */
async function play(scene: Scene, devices: Devices, path: string): Promise<string[]> {
  const { step, type, blocks, count } = scene;
  const workers = type === 'local' ? 1 : 2;
  const memories = recorderMemories(workers, { capacity: 4000, width: workers + 1 });
  const doom = `${program('doom').href}?at=${step.at}&when=${step.when}&count=${count}`;
  const vigil = { type, devices: workers, doom, isLeased: step.isLeased, blocks, path } as const;
  const common = { ...vigil, seed: scene.seed };
  const problems: string[] = [];
  if (type === 'local') {
    const own = { ...common, rank: 0, memory: memories[0]!, address: undefined };
    problems.push(...(await devices.mourn(0, own)));
  } else {
    let hear: (reason: string) => void;
    const lost = new Promise<string>((resolve) => (hear = resolve));
    const supervisor = new CoordinatorSupervisor(coordinatorOf(type, workers), (why) => hear(why));
    const addresses = await Promise.all([0, 1].map((rank) => supervisor.connect(rank)));
    const found = addresses.map((address, rank) =>
      devices.mourn(rank, { ...common, rank, memory: memories[rank]!, address }),
    );
    problems.push(...(await Promise.all(found)).flat());
    const reason = await lost;
    if (reason !== 'exited with code 3') problems.push(`the coordinator ${reason}`);
    await supervisor.stop();
    const late = await supervisor.connect(0).catch((error: unknown) => error);
    if (!(late instanceof KVStoreError) || late.code !== 'peer_dead') problems.push('it connects');
  }
  const violations = [...byKey(readHistory(memories)).values()].flatMap((history) => {
    const lanes = lanesFor(workers, workers + 1);
    const { consistency } = storeType(type);
    const found: (Violation | undefined)[] = [checkSums(history, lanes)];
    if (consistency === 'sync') found.push(checkRounds(history, lanes));
    if (consistency === 'ssp') found.push(checkStaleness(history, lanes, staleness));
    return found.flatMap((violation) => (violation ? [violation.message] : []));
  });
  return [...problems, ...violations];
}

function coordinatorOf(type: string, workers: number) {
  const { consistency, compression } = storeType(type);
  const status = new SharedArrayBuffer(statusBytes);
  const common = { onDeath: 'abort', memoryLimit: 2 ** 30, updaterTimeoutMs: 10_000 } as const;
  return { ...common, workers, consistency, compression, staleness, status };
}

/** The engines of stores that are gone. */
function enginesLeft(): number {
  const updates = new BigInt64Array(new SharedArrayBuffer(8));
  const ended = new Int32Array(new SharedArrayBuffer(4));
  const engine = createEngine(1, { consistency: 'sync', staleness: 0 }, { updates, ended });
  if (engine === undefined) return 0;
  const numbers = Array.from({ length: engine.number - 1 }, (_, i) => i + 1);
  const left = numbers.filter((number) => {
    const device = attachDevice(number, 0, () => undefined);
    device?.detach();
    return device !== undefined;
  });
  engine.close();
  return left.length;
}

/** Saves that were broken off leave no file, or the last that was whole. */
function assertWhole(t: ExecutionContext, folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.tmp')) openCheckpoint(join(folder, name)).close();
  }
  t.pass();
}

test('D6: a coordinator that dies at any step of its work ends every call, and leaves nothing', async (t) => {
  t.timeout(limitMs);
  const folder = temporaryFolder(t);
  const devices = new Devices();
  t.teardown(() => devices.end());
  for (const [i, scene] of scenes(new Random(seed)).entries()) {
    const problems = await play(scene, devices, join(folder, `${i}.safetensors`));
    t.deepEqual(problems, [], `TENSORKV_SEED=${seed}: ${JSON.stringify(scene)}`);
  }
  assertWhole(t, folder);
  await devices.end();
  t.is(enginesLeft(), 0);
  const { workers } = process.report.getReport() as unknown as { workers: unknown[] };
  t.is(workers.length, 0);
});
