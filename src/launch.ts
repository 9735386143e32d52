import { existsSync } from 'node:fs';
import { DeviceGroup, type DeviceEvent } from '../actors/device-group.js';
import type { Restarts } from '../actors/restart-limit.js';
import { describe, KVStoreError, show } from './core/errors.js';
import { moduleUrl } from './core/module-url.js';
import { assertOptions, count, natural, positive } from './core/options.js';
import type { Guard, OnDeath } from './core/protocol.js';
import { storeType } from './core/types.js';
import { packTensors, unpackTensors } from './marshal.js';
import { commonOptionNames, commonSettings } from './store.js';
import type { ProgramStart } from './worker-program.js';

/** Options of `launch`. */
export interface LaunchOptions {
  /** How many devices, each on a thread of its own. */
  readonly devices: number;
  /** A `dist_*` store type. Default `dist_sync`. */
  readonly type?: string;
  /** Given to every program. Tensors in it are shared, everything else is copied. */
  readonly args?: unknown;
  /** Bytes that stored tensors, optimizer slots and scratch may take. Default: the machine's. */
  readonly memoryLimit?: number;
  /**
   * What becomes of open rounds when a device dies or stalls: they are rejected (`abort`, the default), go on
   * without it (`continue`), or wait until it has been started anew (`restart`).
   */
  readonly onDeath?: OnDeath;
  /**
   * How many devices may be started anew within how much time under `onDeath: 'restart'`; the death after
   * that ends as with `abort`. Default 3 within 60,000 ms.
   */
  readonly restarts?: { readonly max?: number; readonly withinMs?: number };
  /**
   * How long a call may wait for other devices, in milliseconds. A device that others wait for and that has
   * not called the store for so long has stalled: it is ended, and dead. Default 300,000.
   */
  readonly timeoutMs?: number;
  /** As for `createKVStore`. */
  readonly guard?: Guard;
  /** As for `createKVStore`. */
  readonly updaterTimeoutMs?: number;
  /** As for `createKVStore`. */
  readonly staleness?: number;
  /** As for `createKVStore`. */
  readonly debug?: boolean;
}

/** Something that happened in a group. */
export type GroupEvent = DeviceEvent;

/** Devices at work. Iterate over it for its events; await `done` for its results. */
export interface WorkerGroup<Result = unknown> extends AsyncIterable<GroupEvent>, AsyncDisposable {
  /**
   * One result per rank. Rejects with `peer_dead` when a device was lost (under
   * `onDeath: 'continue'` its result is undefined instead), with `closed` after `stop`.
   */
  readonly done: Promise<Result[]>;
  /**
   * Starts one more device with the same program. Resolves with its rank, the next one: from then on
   * the rounds that are open need it, and `numWorkers` counts it. Its `init` gives it the keys that
   * are there, with their values. Rejects with `closed` when the group has ended.
   */
  add(): Promise<number>;
  /** Ends all devices that still run. */
  stop(): Promise<void>;
}

/**
 * Starts one thread per device, each running the program that the module at `url` exports (see
 * `defineWorker`), around one store. Rejects with `bad_argument`, `unknown_type`, `unsupported`.
 */
export async function launch<Result = unknown>(
  url: URL | string,
  options: LaunchOptions,
): Promise<WorkerGroup<Result>> {
  const names = ['devices', 'type', 'args', 'restarts', ...commonOptionNames];
  assertOptions(options, names, 'launch');
  const module = moduleUrl(url);
  if (module === undefined) {
    throw new KVStoreError(
      'bad_argument',
      `launch expected the file: URL of a module, such as new URL('./worker.js', import.meta.url), ` +
        `got ${show(url)}`,
    );
  }
  if (!existsSync(new URL(module))) {
    throw new KVStoreError('bad_argument', `launch expected a module that exists, got ${module}`);
  }
  const type = storeType(options.type ?? 'dist_sync');
  if (!type.distributed) {
    throw new KVStoreError(
      'bad_argument',
      `launch expected a dist_* store type, got ${show(type.name)}`,
    );
  }
  const { coordinator, timeoutMs, debug } = commonSettings(
    type,
    count(options.devices, 'devices'),
    options,
  );
  const { packed, cloned } = packArgs(options.args);
  const program: ProgramStart = {
    module,
    type: type.name,
    timeoutMs,
    debug,
    args: cloned,
  };
  const entry = new URL('./device-thread.js', import.meta.url);
  const restarts = restartsOf(options);
  const watched = { ...coordinator, timeoutMs };
  const start = { entry, program, coordinator: watched, restarts, unpack: unpackTensors };
  const group = DeviceGroup.start(start);
  // Tensors on CUDA devices live as long as a thread holds them: any device may yet be started.
  const keep = (): unknown => packed;
  void group.done.then(keep, keep);
  return asGroup<Result>(group);
}

/** The limit of restarts, checked. Throws `bad_argument`. */
function restartsOf({ onDeath, restarts = {} }: LaunchOptions): Restarts {
  assertOptions(restarts, ['max', 'withinMs'], 'restarts');
  if (onDeath !== 'restart' && Object.keys(restarts).length > 0) {
    const message = `restarts expected onDeath "restart", got ${show(onDeath ?? 'abort')}`;
    throw new KVStoreError('bad_argument', message);
  }
  return {
    max: natural(restarts.max ?? 3, 'restarts.max'),
    withinMs: positive(restarts.withinMs ?? 60_000, 'restarts.withinMs'),
  };
}

/** The arguments as every device gets them, or `bad_argument` for what cannot cross threads. */
function packArgs(args: unknown): { readonly packed: unknown; readonly cloned: unknown } {
  try {
    const packed = packTensors(args);
    return { packed, cloned: structuredClone(packed) };
  } catch (error) {
    throw new KVStoreError(
      'bad_argument',
      `launch expected args that can be cloned to a thread, got ${describe(error)}`,
      { cause: error },
    );
  }
}

function asGroup<Result>(devices: DeviceGroup<ProgramStart>): WorkerGroup<Result> {
  const done = devices.done.then((results) => results as Result[]);
  // A loss that nobody looks at ends the process, as any rejection does; whoever reads the events or
  // stops the group has seen it.
  const seen = (): void => void done.catch(() => undefined);
  return {
    done,
    add: () => devices.add(),
    stop: () => {
      seen();
      return devices.stop();
    },
    [Symbol.asyncDispose]: () => {
      seen();
      return devices.stop();
    },
    [Symbol.asyncIterator]: () => {
      seen();
      return devices.events[Symbol.asyncIterator]();
    },
  };
}
