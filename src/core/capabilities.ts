import { KVStoreError, show } from './errors.js';

/** What `isCapable` can be asked about. */
export type Capability = 'optimizer' | 'compression' | 'row_sparse';

const capabilities: Readonly<Record<Capability, boolean>> = {
  optimizer: true,
  compression: false,
  row_sparse: false,
};

/** Whether the stores of this release can do `capability`. Throws `unknown_capability`. */
export function hasCapability(capability: Capability): boolean {
  if (Object.hasOwn(capabilities, capability)) return capabilities[capability];
  throw new KVStoreError(
    'unknown_capability',
    `isCapable expected one of ${Object.keys(capabilities).join(', ')}, got ${show(capability)}`,
  );
}
