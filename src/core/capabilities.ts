import { KVStoreError, show } from './errors.js';
import type { StoreType } from './types.js';

/** What `isCapable` can be asked about. */
export type Capability = 'optimizer' | 'compression' | 'row_sparse';

/** Whether stores of `type` can do `capability`. Throws `unknown_capability`. */
export function hasCapability(type: StoreType, capability: Capability): boolean {
  const capabilities: Readonly<Record<Capability, boolean>> = {
    optimizer: true,
    compression: type.compression !== 'none',
    row_sparse: true,
  };
  if (Object.hasOwn(capabilities, capability)) return capabilities[capability];
  throw new KVStoreError(
    'unknown_capability',
    `isCapable expected one of ${Object.keys(capabilities).join(', ')}, got ${show(capability)}`,
  );
}
