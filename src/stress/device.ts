import { threadId } from 'node:worker_threads';
import { createKVStore, defineWorker, KVStoreError, type KVStore } from '../index.js';
import { Calls } from './calls.js';
import type { DeviceReport, DeviceResult, DeviceTask } from './device-task.js';
import { Random } from './random.js';
import { planOf, stressTypes, type Plan, type PlannedFault } from './scenario.js';
import { setRule } from './rules.js';

/** What every device of a stress run does: rounds of calls in all styles, and what is planned for it. */
export default defineWorker<DeviceTask, DeviceResult>(async ({ kv, rank, args, report }) => {
  report({ type: 'started', threadId } satisfies DeviceReport);
  const { scenario, here } = args;
  meet(here, planOf(scenario).threads);
  const { isGroup } = stressTypes[scenario.type];
  // A store of one caller is opened here, for its blocking calls need a worker thread.
  const store = isGroup ? kv : await createKVStore(scenario.type as 'local', {});
  try {
    return await work(store, rank, { task: args, plan: planOf(scenario), report });
  } finally {
    if (!isGroup) await store.close();
  }
});

/** Waits until all threads run, so that deadlines hold for calls and not for starting threads. */
function meet(here: Int32Array, threads: number): void {
  Atomics.add(here, 0, 1);
  Atomics.notify(here, 0);
  for (let count = 1; count < threads; count = Atomics.load(here, 0)) {
    Atomics.wait(here, 0, count, 100); // At the other side: the same line of the other devices.
  }
}

interface Work {
  readonly task: DeviceTask;
  readonly plan: Plan;
  report(data: DeviceReport): void;
}

async function work(
  kv: KVStore,
  rank: number,
  { task, plan, report }: Work,
): Promise<DeviceResult> {
  const { scenario, memories } = task;
  const keys = Array.from({ length: scenario.keys }, (_, key) => key);
  await setRule(kv, { keys, scenario, plan, log: task.log });
  const random = new Random(scenario.seed + 7919 * (rank + 1));
  const calls = new Calls(kv, { memory: memories[rank]!, scenario, plan, rank, random });
  await kv.barrier();
  calls.round(keys); // The first round allocates what later ones use again.
  const bytesBefore = kv.stats().storeBytes;
  const fault = plan.faults[rank];
  let isDoomed = false;
  for (let round = 1; round < plan.rounds && !calls.isOver; round++) {
    if (fault?.round === round) {
      isDoomed = fault.kind === 'kill';
      await befall(fault, { calls, keys, report });
    }
    if (random.chance(0.15)) await calls.burst(keys);
    else calls.round(keys);
  }
  if (isDoomed) block(Infinity); // The blow is late.
  await calls.meet(); // Rank 0 runs updater functions and must not leave before the others.
  calls.finalPull(keys);
  await kv.flush();
  const { storeBytes, inFlight } = kv.stats();
  return { bytesBefore, bytesAfter: storeBytes, inFlight, problems: calls.problems };
}

interface Befallen {
  readonly calls: Calls;
  readonly keys: readonly number[];
  report(data: DeviceReport): void;
}

/** What was planned for this device happens to it. */
async function befall(fault: PlannedFault, { calls, keys, report }: Befallen): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      report({ type: 'kill' }); // It goes on until the blow comes.
      return;
    case 'throw':
      calls.leaveOpen(keys);
      setImmediate(() => {
        throw new KVStoreError('bad_argument', 'thrown on purpose by tensorkv stress');
      });
      return new Promise(() => undefined);
    case 'stall':
      block(fault.stallMs);
  }
}

/** For so long the thread answers to nothing. */
function block(forMs: number): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, forMs); // Nobody notifies.
}
