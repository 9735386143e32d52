import { inlinePlane, threadPlane, type Plane } from '../actors/plane.js';
import { KVStoreError, show } from './core/errors.js';
import { statusBytes } from './core/layout.js';
import { machineBytes } from './core/memory.js';
import { assertOptions, count, natural, positive } from './core/options.js';
import type { CoordinatorOptions, Guard, OnDeath } from './core/protocol.js';
import { storeType, type StoreType, type StoreTypeName } from './core/types.js';
import { KVStore } from './kv-store.js';
import type { PlaneHandlers } from './store-identity.js';
import type { KVStoreBase } from './kv-store-base.js';
import { openRegistered, registeredNames, registeredStore } from './store-registry.js';

/** Options of `createKVStore`; all have defaults. */
export interface KVStoreOptions {
  /** Bytes that stored tensors, optimizer slots and scratch may take. Default: the machine's. */
  readonly memoryLimit?: number;
  /** How many devices values and outs may live on: cpu(0) up to cpu(devices - 1). Default: any. */
  readonly devices?: number;
  /** What becomes of open rounds when a device dies. Default `abort`. */
  readonly onDeath?: OnDeath;
  /** How long a call may wait for other devices, in milliseconds. Default 300,000. */
  readonly timeoutMs?: number;
  /**
   * `finite`: an update whose result holds a NaN or an infinity is refused with `updater_error`, and
   * everything stays as it was. Costs a look at each result, and a copy. Default: nothing is refused.
   */
  readonly guard?: Guard;
  /**
   * How long the module of `setUpdater` may take for one update, in milliseconds, before it is
   * stopped. Default 60,000, and never more than `timeoutMs`.
   */
  readonly updaterTimeoutMs?: number;
  /**
   * For `dist_ssp` alone: how many pushes of a key a worker may be ahead of the slowest one. Default
   * 3; with 0 all go in step.
   */
  readonly staleness?: number;
  /**
   * Watches the tensors of calls that have not ended: a pushed one that is written to meanwhile, or one
   * that two calls use at once of which one writes, rejects with `bad_argument`, which names the key.
   * Costs a copy of everything that is pushed. Default false.
   */
  readonly debug?: boolean;
  /**
   * Where the coordinator runs: on a thread of its own (default), or `inline` on the caller's
   * thread, which saves the hop but makes the caller wait while large tensors are summed.
   */
  readonly coordinator?: 'thread' | 'inline';
}

/** Options that a store and a group of workers share, checked and completed. */
export interface CommonSettings {
  readonly timeoutMs: number;
  readonly debug: boolean;
  readonly coordinator: CoordinatorOptions;
}

/** Names of the options that stores and groups share. */
export const commonOptionNames = [
  'memoryLimit',
  'onDeath',
  'timeoutMs',
  'guard',
  'updaterTimeoutMs',
  'staleness',
  'debug',
] as const;

const defaultStaleness = 3;

/**
 * Opens a store for one caller. A `dist_*` type made here is a group of one; many workers come from
 * `launch`. A name that `registerKVStore` knows makes a store of its class, which gets the options
 * unchecked and may reject as it likes. Names are taken in any case. Rejects with `unknown_type`,
 * `unsupported` or `bad_argument`.
 */
export function createKVStore(type?: StoreTypeName, options?: KVStoreOptions): Promise<KVStore>;
export function createKVStore<
  Store extends KVStoreBase = KVStoreBase,
  // A built-in type is left to the first signature, which knows its options.
  Name extends string = string,
>(type: Name extends StoreTypeName ? never : Name, options?: object): Promise<Store>;
export async function createKVStore(type = 'local', options: object = {}): Promise<KVStoreBase> {
  const registered = registeredStore(type);
  if (registered) return openRegistered(registered, type, options);
  return openBuiltIn(storeType(type, registeredNames()), options);
}

async function openBuiltIn(checkedType: StoreType, options: KVStoreOptions): Promise<KVStore> {
  assertOptions(options, [...commonOptionNames, 'devices', 'coordinator'], 'createKVStore');
  if (options.onDeath === 'restart') {
    const message = 'onDeath "restart" expected a group made by launch: nobody restarts the caller';
    throw new KVStoreError('unsupported', message);
  }
  const { timeoutMs, debug, coordinator } = commonSettings(checkedType, 1, options);
  const where = options.coordinator ?? 'thread';
  if (where !== 'thread' && where !== 'inline') {
    throw new KVStoreError(
      'bad_argument',
      `coordinator expected "thread" or "inline", got ${show(where)}`,
    );
  }
  const devices = options.devices === undefined ? undefined : count(options.devices, 'devices');
  const open = async (handlers: PlaneHandlers): Promise<Plane> =>
    where === 'inline'
      ? inlinePlane(coordinator, { timeoutMs, ...handlers })
      : threadPlane(coordinator, { timeoutMs, ...handlers });
  return KVStore.open(open, {
    type: checkedType,
    rank: 0,
    devices,
    status: coordinator.status,
    debug,
  });
}

/** Checks the options that stores and groups share. Throws `bad_argument`, `unsupported`. */
export function commonSettings(
  type: StoreType,
  workers: number,
  options: Pick<KVStoreOptions, (typeof commonOptionNames)[number]>,
): CommonSettings {
  const onDeath: string = options.onDeath ?? 'abort';
  if (onDeath !== 'abort' && onDeath !== 'continue' && onDeath !== 'restart') {
    throw new KVStoreError(
      'bad_argument',
      `onDeath expected "abort", "continue" or "restart", got ${show(onDeath)}`,
    );
  }
  const { guard } = options;
  if (guard !== undefined && guard !== 'finite') {
    throw new KVStoreError('bad_argument', `guard expected "finite", got ${show(guard)}`);
  }
  const debug: unknown = options.debug ?? false;
  if (typeof debug !== 'boolean') {
    throw new KVStoreError('bad_argument', `debug expected true or false, got ${show(debug)}`);
  }
  const timeoutMs = positive(options.timeoutMs ?? 300_000, 'timeoutMs');
  const updaterTimeoutMs = positive(options.updaterTimeoutMs ?? 60_000, 'updaterTimeoutMs');
  return {
    timeoutMs,
    debug,
    coordinator: {
      workers,
      consistency: type.consistency,
      staleness: stalenessOf(type, options.staleness),
      compression: type.compression,
      onDevices: type.onDevices,
      onDeath,
      guard,
      updaterTimeoutMs: Math.min(updaterTimeoutMs, timeoutMs),
      memoryLimit: positive(options.memoryLimit ?? machineBytes(), 'memoryLimit'),
      status: new SharedArrayBuffer(statusBytes),
    },
  };
}

/** The staleness of a store. Throws `bad_argument`, where it means nothing too. */
function stalenessOf({ name, consistency }: StoreType, staleness: unknown): number {
  if (staleness === undefined) return defaultStaleness;
  if (consistency === 'ssp') return natural(staleness, 'staleness');
  throw new KVStoreError(
    'bad_argument',
    `staleness expected a store of type "dist_ssp", got ${show(name)}`,
  );
}
