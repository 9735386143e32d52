import { KVStoreError, show } from './errors.js';

/**
 * When the round of a key closes: once every worker has pushed, or at each push; with `ssp` that of a
 * worker which is not too far ahead.
 */
export type Consistency = 'sync' | 'async' | 'ssp';

/** What is compressed where gradients are: each pushed value, the sum of a worker's, or nothing. */
export type CompressionMode = 'none' | 'values' | 'workers';

/** How a store type behaves. */
export interface StoreType {
  /** The name it was asked for, in lower case. */
  readonly name: string;
  readonly consistency: Consistency;
  /** Whether it is for one caller or for a group of workers. */
  readonly distributed: boolean;
  readonly compression: CompressionMode;
  /** Whether keys live on the CUDA devices of the values that they are made of; else on the CPU. */
  readonly onDevices: boolean;
}

const cpuOnly = { onDevices: false } as const;
const local = { ...cpuOnly, consistency: 'sync', distributed: false, compression: 'none' } as const;
const device = { ...local, compression: 'values', onDevices: true } as const;
const sync = {
  ...cpuOnly,
  consistency: 'sync',
  distributed: true,
  compression: 'workers',
} as const;
const async = { ...sync, consistency: 'async' } as const;
const ssp = { ...sync, consistency: 'ssp' } as const;
const deviceSync = { ...sync, onDevices: true } as const;
const deviceAsync = { ...async, onDevices: true } as const;

/** Names of today, and those that MXNet still accepts for the same things. */
const types = {
  local: local,
  local_update_cpu: local,
  local_allreduce_cpu: local,
  device: device,
  local_allreduce_device: device,
  dist: sync,
  dist_sync: sync,
  dist_device_sync: deviceSync,
  dist_sync_device: deviceSync,
  dist_async: async,
  dist_async_device: deviceAsync,
  dist_ssp: ssp,
} as const satisfies Readonly<Record<string, Omit<StoreType, 'name'>>>;

/** The name of a built-in type, as it is usually written: in lower case. */
export type StoreTypeName = keyof typeof types;

/** Whether `lower`, in lower case, names a built-in type. */
export function isStoreType(lower: string): lower is StoreTypeName {
  return Object.hasOwn(types, lower);
}

/**
 * The type called `name`, in any case. Throws `unknown_type`, which tells `others` too.
 */
export function storeType(name: unknown, others: readonly string[] = []): StoreType {
  const lower = typeof name === 'string' ? name.toLowerCase() : '';
  if (isStoreType(lower)) return { name: lower, ...types[lower] };
  throw new KVStoreError(
    'unknown_type',
    `expected a store type (${[...Object.keys(types), ...others].join(', ')}), got ${show(name)}`,
  );
}
