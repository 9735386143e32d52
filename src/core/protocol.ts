import type { CompressionSpec } from './compression.js';
import type { Device } from './devices.js';
import type { DType } from './dtypes.js';
import type { Failure } from './errors.js';
import type { Key } from './keys.js';
import type { CustomSpec } from './optimizers/custom.js';
import type { OptimizerSpec } from './optimizers/optimizer.js';
import type { RowSparseHandle } from './row-sparse.js';
import type { Shape } from './shape.js';
import type { TensorHandle } from './tensor.js';
import type { CompressionMode, Consistency } from './types.js';

/**
 * Every message that crosses a thread. A device sends batches of requests and gets batches of
 * replies; tensors travel as handles, so elements are never copied by a message.
 */

/** Position of a device among the workers of a store, from 0. */
export type Rank = number;

/** What one call says of one key: the values of a push, or the outs of a pull. */
export interface WireGroup<Wire extends WireTensor = WireTensor> {
  readonly key: Key;
  /** A pull with no tensors asks for a fresh one. */
  readonly tensors: readonly Wire[];
}

/** A tensor as it travels. */
export type WireTensor = TensorHandle | RowSparseHandle;

/** Whether a tensor on its way is row-sparse. */
export function isRowSparse(tensor: WireTensor): tensor is RowSparseHandle {
  return 'indices' in tensor;
}

/** Where the class of a custom optimizer is. */
export interface OptimizerModule {
  readonly name: string;
  readonly url: string;
}

/** Options of an optimizer as plain data, a schedule as its name and options. */
export type PlainOptions = OptimizerSpec['options'];

/** How new versions are made when no optimizer is set. */
export type UpdaterSource =
  | { readonly kind: 'assign' }
  /** A function of the device that asks, which knows it by `handle`; see the `update` reply. */
  | { readonly kind: 'caller'; readonly handle: number }
  /** The default export of a module; it runs in the coordinator. */
  | { readonly kind: 'module'; readonly url: string };

/** Requests over keys: among keys that are ready, those of a higher priority go first. */
interface Prioritised {
  /** Default 0. */
  readonly priority?: number;
}

/** What a device can ask for. */
export type RequestBody =
  | { readonly type: 'init'; readonly values: readonly WireGroup[] }
  | (Prioritised & { readonly type: 'push'; readonly push: readonly WireGroup[] })
  | (Prioritised & {
      readonly type: 'pull';
      readonly pull: readonly WireGroup<TensorHandle>[];
      /** The weights to evaluate with are asked for, see `averageOf` of the update rule. */
      readonly average?: boolean;
      /** Views are asked for, instead of copies; there are no outs then. */
      readonly view?: boolean;
    })
  /** The rows `rowIds`, ascending and unique, of one key, or all that it holds. */
  | (Prioritised & {
      readonly type: 'pullRows';
      readonly pull: readonly WireGroup<TensorHandle>[];
      readonly rowIds: BigInt64Array | 'held';
    })
  | (Prioritised & {
      readonly type: 'pushpull';
      readonly push: readonly WireGroup[];
      readonly pull: readonly WireGroup<TensorHandle>[];
    })
  | (Prioritised & {
      readonly type: 'broadcast';
      readonly values: readonly WireGroup[];
      readonly pull: readonly WireGroup<TensorHandle>[];
    })
  | { readonly type: 'setUpdater'; readonly updater: UpdaterSource }
  | {
      readonly type: 'setOptimizer';
      readonly optimizer: OptimizerSpec;
      /** Set for a custom one. */
      readonly module?: OptimizerModule;
    }
  | { readonly type: 'setCompression'; readonly compression: CompressionSpec | undefined }
  | { readonly type: 'setHyper'; readonly options: Readonly<Record<string, unknown>> }
  | {
      readonly type: 'save' | 'load';
      readonly path: string;
      /** All of the store, or what its optimizer remembers. */
      readonly what: 'store' | 'optimizer';
      /** Optimizers that a file may name, beside the built-in ones. */
      readonly modules?: readonly OptimizerModule[];
    }
  | { readonly type: 'barrier' }
  /** The device goes in good order; what it still waits for is taken back. */
  | { readonly type: 'leave' };

/** A request with its number among those of its device, and when its device gives up. */
export type Request = RequestBody & {
  readonly id: number;
  /** On the monotonic clock that all threads share, in milliseconds. */
  readonly deadlineMs: number;
};

/** A device's answer to an `update` reply. It has no id: nothing is sent back for it. */
export interface Updated {
  readonly type: 'updated';
  readonly update: number;
  readonly failure?: Failure;
}

/** A device no longer holds views of these buffers, one for each time that a number stands here. It has no id: nothing is sent back for it. */
export interface Released {
  readonly type: 'release';
  readonly pins: readonly number[];
}

/**
 * A request that took the direct way is past its deadline: the coordinator ends it. It has no id:
 * nothing is sent back for it.
 */
export interface Overdue {
  readonly type: 'overdue';
}

/**
 * A device has heard of `rulesPerWord` more rules. It has no id: nothing is sent back for it, but a
 * device that does not say it is told no more than the last one, some time.
 */
export interface Heard {
  readonly type: 'heard';
}

/** How many `optimizer` notices a device hears between two words of it. */
export const rulesPerWord = 32;

/** What a device sends. */
export type ToCoordinator = Request | Updated | Released | Overdue | Heard;

/** A stored tensor that is not written until the device releases `pin`. */
export interface PinnedTensor {
  /** Position of its key among the store's, from 0. */
  readonly key: number;
  readonly tensor: TensorHandle;
  /** Updates of the key that are in it. */
  readonly version: number;
  /** The number of its buffer. */
  readonly pin: number;
  /** The other buffer of the key, if it has one: later views may show that. */
  readonly other?: { readonly tensor: TensorHandle; readonly pin: number };
}

/** A key of the store, as devices know it. */
export interface StoredKey {
  readonly key: Key;
  /** Position among the store's keys, from 0. */
  readonly number: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
}

/** What the coordinator sends. */
export type FromCoordinator =
  /** The request is applied. `fresh` or `views` holds, in order, the tensors a pull asked for. */
  | {
      readonly type: 'done';
      readonly id: number;
      readonly fresh?: readonly WireTensor[];
      readonly views?: readonly PinnedTensor[];
    }
  /** The request is not applied, in the parts that `failure` names. */
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure }
  /** Run the updater function: `stored` is the scratch copy to edit. */
  | {
      readonly type: 'update';
      readonly update: number;
      readonly handle: number;
      readonly key: Key;
      readonly input: TensorHandle;
      readonly stored: TensorHandle;
    }
  /** The request has until then: who it waits for has stalled, or is about to. */
  | { readonly type: 'delayed'; readonly id: number; readonly deadlineMs: number }
  /** These keys exist from now on. */
  | { readonly type: 'keys'; readonly keys: readonly StoredKey[] }
  /** This optimizer is set from now on; undefined: none. */
  | {
      readonly type: 'optimizer';
      readonly name?: string;
      readonly options?: PlainOptions;
      /** Set for a custom one. */
      readonly custom?: CustomSpec;
    };

/** What becomes of open rounds when a device dies. */
export type OnDeath = 'abort' | 'continue' | 'restart';

/** What a new version must be to be published: `finite` wants no NaN and no infinity in it. */
export type Guard = 'finite';

/** How a coordinator behaves, fixed when its store is made. */
export interface CoordinatorOptions {
  /** Ranks 0 .. workers - 1 are live from the start. */
  readonly workers: number;
  readonly consistency: Consistency;
  /** With `ssp`: how many pushes a worker may be ahead of the slowest. Default 0. */
  readonly staleness?: number;
  readonly compression: CompressionMode;
  /** Whether a key lives on the CUDA device of the value that it is made of. Default: all on the CPU. */
  readonly onDevices?: boolean;
  readonly onDeath: OnDeath;
  /** Bytes that stored tensors, slots and scratch may take. */
  readonly memoryLimit: number;
  /** Default: any version is published. */
  readonly guard?: Guard | undefined;
  /** How long an updater module may take for one update, in milliseconds. Default: for ever. */
  readonly updaterTimeoutMs?: number;
  /**
   * How long the devices' calls may wait, in milliseconds: one that does nothing for so long stalls.
   * Default: for ever.
   */
  readonly timeoutMs?: number;
  /** The status block of layout.ts. */
  readonly status: SharedArrayBuffer;
}

/** Milliseconds on the monotonic clock that all threads of the process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
