import type { Failure } from '../src/core/errors.js';
import type { FromCoordinator, Rank, WireTensor } from '../src/core/protocol.js';
import type { Engine } from '../native/engine.js';
import type { Kernels } from '../native/kernels.js';
import type { Checkpoint, StoredTensor } from './checkpoint-file.js';

/** Where checkpoints are written and read. */
export interface CheckpointFiles {
  write(
    path: string,
    tensors: readonly StoredTensor[],
    metadata: ReadonlyMap<string, string>,
  ): void;
  open(path: string): Checkpoint;
}

/** What a coordinator needs of whatever runs it. */
export interface CoordinatorHost {
  readonly kernels: Kernels;
  /** Sends to a device; a message to one that is gone is dropped. */
  send(to: Rank, message: FromCoordinator): void;
  /** Imports a user's module, then calls `loaded` with its default export or the failure. */
  loadModule(kind: ModuleKind, url: string, loaded: (outcome: LoadedModule) => void): void;
  readonly files: CheckpointFiles;
  /** Carries out what is plain; undefined: the coordinator does everything. */
  readonly engine?: Engine | undefined;
  /** When a device last did something, see `pulse.ts`. Only where devices have threads of their own. */
  readonly pulseOf?: (rank: Rank) => number | undefined;
  /** Has a device that has stalled be ended as dead, because of `why`: `depart` is to follow. */
  readonly stalled?: (rank: Rank, why: string) => void;
  /** The tensor that a device knows by a number. Only where there is an engine. */
  readonly tensorOf?: (rank: Rank, number: number) => WireTensor;
}

/** What a user's module is for: its default export is a function, or a class with `update`. */
export type ModuleKind = 'updater' | 'optimizer';

/** What came of loading a module. */
export type LoadedModule = { readonly exported: unknown } | { readonly failure: Failure };
