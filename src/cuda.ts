/**
 * tensorkv/cuda: what programs can ask of CUDA devices beside keeping tensors there. Where there are
 * none, `status` says why, `deviceCount` is 0, and all else throws `cuda_unavailable`.
 *
 *     import { cuda, zeros } from 'tensorkv';
 *     import { ready, status } from 'tensorkv/cuda';
 *
 * - `cuda-devices.ts`: devices, waits, addresses, handles for other processes.
 * - `cuda-kernels.ts`, `cuda-arguments.ts`: kernels of a user's own.
 */
export type { Argument, LaunchSize } from './cuda-arguments.js';
export type { CudaDevice } from './core/devices.js';
export type { CudaStatus, ExportedTensor, NcclStatus } from './cuda-devices.js';

export {
  float32,
  float64,
  int32,
  int64,
  read,
  readWrite,
  uint32,
  write,
} from './cuda-arguments.js';
export {
  address,
  copyAsync,
  deviceCount,
  devices,
  exportHandle,
  importTensor,
  ready,
  status,
  synchronize,
} from './cuda-devices.js';
export { compile, CudaKernel, CudaModule, launch, module } from './cuda-kernels.js';
