import type { Failure } from '../src/core/errors.js';
import type { FromCoordinator, Rank } from '../src/core/protocol.js';
import type { Updater } from '../src/core/updaters.js';
import type { Kernels } from '../native/kernels.js';
import type { CheckpointFiles } from './state-calls.js';

/** What a coordinator needs of whatever runs it. */
export interface CoordinatorHost {
  readonly kernels: Kernels;
  /** Sends to a device; a message to one that is gone is dropped. */
  send(to: Rank, message: FromCoordinator): void;
  /** Imports an updater module, then calls `loaded` with its default export or the failure. */
  loadUpdater(url: string, loaded: (outcome: LoadedUpdater) => void): void;
  readonly files: CheckpointFiles;
}

/** What came of loading an updater module. */
export type LoadedUpdater = { readonly updater: Updater } | { readonly failure: Failure };
