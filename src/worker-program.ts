import { parentPort } from 'node:worker_threads';
import type { DeviceStart, FromDevice } from '../actors/device-group.js';
import { portPlane } from '../actors/plane.js';
import { cpu, type Device } from './core/devices.js';
import { describe, KVStoreError, show } from './core/errors.js';
import { packThrown } from './core/thrown.js';
import { storeType } from './core/types.js';
import { KVStore } from './kv-store.js';
import { packTensors, unpackTensors } from './marshal.js';
import { Parcels } from './parcels.js';

/** What a worker's program is given. */
export interface WorkerContext<Args = unknown> {
  /** The store, as this worker sees it. */
  readonly kv: KVStore;
  /** This worker among `numWorkers`, from 0. */
  readonly rank: number;
  /** As it was when this worker started; `kv.numWorkers` grows when workers are added, and never falls. */
  readonly numWorkers: number;
  /**
   * How often this worker has died and been started anew, see `onDeath: 'restart'`. From 1 on it goes on
   * where the store is: a view's `version` tells how many rounds of a key have closed.
   */
  readonly incarnation: number;
  /** This worker's device, `cpu(rank)`. */
  readonly device: Device;
  /** What `launch` was given as `args`. Tensors in it are shared, everything else is copied. */
  readonly args: Args;
  /** Sends progress, metrics or anything that can be cloned to the group's events. */
  report(data: unknown): void;
}

/** A program that `launch` runs once per device; made by `defineWorker`. */
export interface WorkerProgram<Args = unknown, Result = unknown> {
  readonly [programMark]: (context: WorkerContext<Args>) => Result | Promise<Result>;
}

/** What a device thread needs to run a program. */
export interface ProgramStart {
  readonly module: string;
  readonly type: string;
  readonly timeoutMs: number;
  readonly debug: boolean;
  readonly args: unknown;
}

// Registered, so that it is the same where a module is loaded twice.
const programMark: unique symbol = Symbol.for('tensorkv.program') as never;

/**
 * A worker's program: the default export of the module that `launch` names. What it returns is the
 * worker's result; what it throws ends the worker as lost.
 */
export function defineWorker<Args = unknown, Result = unknown>(
  program: (context: WorkerContext<Args>) => Result | Promise<Result>,
): WorkerProgram<Args, Result> {
  if (typeof program !== 'function') {
    throw new KVStoreError(
      'bad_argument',
      `defineWorker expected a function, got ${show(program)}`,
    );
  }
  return Object.freeze({ [programMark]: program });
}

/** Runs one program on this thread, from import to result, and tells the group how it ended. */
export async function runProgram(start: DeviceStart<ProgramStart>): Promise<void> {
  const parcels = new Parcels(parentPort!);
  const tell = (message: FromDevice): void => parcels.post(message);
  try {
    tell({ type: 'finished', result: packTensors(await execute(start, tell)) });
  } catch (error) {
    const why = error instanceof KVStoreError ? error.message : describe(error);
    tell({ type: 'failed', why, thrown: packThrown(error) });
  }
}

async function execute(
  { coordinator, incarnation, program }: DeviceStart<ProgramStart>,
  tell: (message: FromDevice) => void,
): Promise<unknown> {
  const run = await importProgram(program.module);
  const { timeoutMs, debug } = program;
  const { rank, status } = coordinator;
  const kv = await KVStore.open((handlers) => portPlane(coordinator, { timeoutMs, ...handlers }), {
    type: storeType(program.type),
    rank,
    devices: undefined,
    status,
    debug,
  });
  const result = await run({
    kv,
    rank,
    numWorkers: kv.numWorkers,
    incarnation,
    device: cpu(rank),
    args: unpackTensors(program.args),
    report: (data) => tell({ type: 'report', data: packTensors(data) }),
  });
  await kv.flush(); // What the program pushed last counts, awaited or not.
  await kv.close();
  return result;
}

async function importProgram(url: string): Promise<WorkerProgram[typeof programMark]> {
  const module = (await import(url)) as { readonly default?: Partial<WorkerProgram> };
  const run = module.default?.[programMark];
  if (run) return run;
  throw new KVStoreError(
    'bad_argument',
    `${url} expected a default export made by defineWorker, such as export default ` +
      `defineWorker(async ({ kv }) => ...), got ${show(module.default)}`,
  );
}
