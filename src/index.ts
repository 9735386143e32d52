/**
 * tensorkv: a key-value store of tensors for the worker threads of one process.
 *
 * Module map, from a call to the metal; each layer imports only those below it:
 *
 * - `store.ts`, `kv-store.ts`: `createKVStore` and what its stores can do. A call is checked, grouped
 *   by key and sent as one request. `kv-store-base.ts`, `store-registry.ts`: stores of a user's own. `launch.ts`, `worker-program.ts`: the same for a group of workers,
 *   one program per device thread.
 * - `../actors/plane.ts`: what a store stands on. `mailbox.ts` bounds and numbers requests;
 *   `coordinator.ts` is the actor that orders, sums and updates; `supervisor.ts`, `device-group.ts` and
 *   `thread.ts` start, watch and stop threads.
 * - `../native/kernels.ts`: the one door to C++, with a TypeScript reference of each kernel.
 * - `core/`: tensors, keys, errors, messages, optimizers. Pure: no threads, no addon.
 */
export type { Capability } from './core/capabilities.js';
export type { Device } from './core/devices.js';
export type { CompressionOptions, CompressionSpec, CompressionType } from './core/compression.js';
export type { DType, NumberData, TensorData } from './core/dtypes.js';
export type { ErrorCode } from './core/errors.js';
export type { Key, Value } from './core/keys.js';
export type { CustomDefaults, CustomStep } from './core/optimizers/custom.js';
export type { CommonOptions, OptimizerSpec } from './core/optimizers/optimizer.js';
export type { Optim, OptimizerName, OptimizerOptions } from './core/optimizers/registry.js';
export type { Guard, OnDeath } from './core/protocol.js';
export type { RowIds } from './core/row-ids.js';
export type { RowSparseHandle, RowSparseOptions } from './core/row-sparse.js';
export type { PlateauSchedule, Schedule, ScheduleOptions } from './core/schedules/index.js';
export type { Shape } from './core/shape.js';
export type { StoreTypeName } from './core/types.js';
export type { AnyTensor, NestedNumbers, TensorHandle, TensorOptions } from './core/tensor.js';
export type { Updater } from './core/updaters.js';
export type {
  Keys,
  PullOptions,
  PushOptions,
  ReadOptions,
  RowOptions,
  Tensors,
  Values,
  ViewOptions,
} from './call-arguments.js';

export type { Codec, Gradient } from './codec.js';
export type { WorkerGroup, GroupEvent, LaunchOptions } from './launch.js';
export type { OptimizerView } from './live-optimizer.js';
export type { KVStoreStats } from './statistics.js';
export type { KVStoreOptions } from './store.js';
export type { KVStoreClass } from './store-registry.js';
export type { WorkerContext, WorkerProgram } from './worker-program.js';

export { cpu, cuda } from './core/devices.js';
export { errorCodes, KVStoreError } from './core/errors.js';
export { CustomOptimizer } from './core/optimizers/custom.js';
export { optim } from './core/optimizers/registry.js';
export { rowSparse, RowSparseTensor } from './core/row-sparse.js';
export { schedule } from './core/schedules/index.js';
export { full, ones, tensor } from './core/creation.js';
export { Tensor, zeros } from './core/tensor.js';
export { TensorView } from './core/tensor-view.js';
export { codec } from './codec.js';
export { unsharedView } from './interop.js';
export { KVStore } from './kv-store.js';
export { KVStoreBase } from './kv-store-base.js';
export { launch } from './launch.js';
export { createKVStore } from './store.js';
export { registerKVStore } from './store-registry.js';
export { registerOptimizer } from './optimizer-registry.js';
export { defineWorker } from './worker-program.js';
