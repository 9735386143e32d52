import type { CudaDevice } from '../../src/core/devices.js';
import type { AnyTypedArray } from '../types.js';

/** What is known of NCCL: the version of the one that was opened, and why none is used. */
export interface CudaNcclInfo {
  readonly version?: string;
  readonly reason?: string;
}

/** What is known of an allocation. */
export interface CudaArrayInfo {
  readonly device: number;
  readonly bytes: number;
  /** Where it lies on its device, for libraries that take pointers. */
  readonly address: bigint;
}

/**
 * The functions of `cuda_binding.cc`, a set for each thread that loads the addon: its own stream on each
 * device, and one table of allocations for the process. An allocation is known by its id, a number that
 * is never used again. What fails throws an `Error` whose `code` is an `ErrorCode`: `cuda_unavailable`;
 * `memory_limit` where the device has no more room; `peer_dead` for a device that is lost, and for an
 * allocation that is gone; `bad_argument`. Work is ordered by what it reads and writes, whatever thread
 * it comes from: nothing but `download`, `synchronize` and `exportHandle` waits for it.
 */
export interface AddonCuda {
  /**
   * Why CUDA cannot be used here, or not on one of the devices, one sentence; undefined where it can.
   * Loads the driver.
   */
  missingReason(device?: number): string | undefined;
  /** Such as 13000 for 13.0. */
  driverVersion(): number;
  deviceCount(): number;
  deviceInfo(device: number): CudaDevice;
  /** Opens NCCL. */
  ncclInfo(): CudaNcclInfo;
  /** An allocation of zeros that this thread holds once. */
  allocate(device: number, bytes: number): number;
  /** This thread holds it once more. Throws `peer_dead` where it is gone. */
  retain(id: number): void;
  /** Freed when no thread holds it, behind the work that uses it. A thread that ends lets go of all. */
  release(id: number): void;
  /**
   * A number by which `collected` knows `object`, until `forget`. Unlike a `WeakRef` it keeps nothing
   * alive until the turn of the event loop has ended.
   */
  watch(object: object): number;
  forget(number: number): void;
  /** The numbers of objects that have been collected. */
  collected(): number[];
  arrayInfo(id: number): CudaArrayInfo;
  /** Copies `source` in; it may be changed once this returns. */
  upload(source: AnyTypedArray, id: number, byteOffset: number): void;
  /** Waits for what writes the range, and copies it out. */
  download(id: number, byteOffset: number, out: AnyTypedArray): void;
  /** The same, without waiting: `done` is called on this thread, with what went wrong if something did. */
  downloadAsync(
    id: number,
    byteOffset: number,
    out: AnyTypedArray,
    done: (error: Error | undefined) => void,
  ): void;
  /** Copies within a device or from one to another. */
  copy(from: number, fromOffset: number, to: number, toOffset: number, bytes: number): void;
  /**
   * Copies to several places, of which `outs` has id and offset in turn: to several other devices at once
   * where there is NCCL. Places on one device are the same or lie apart.
   */
  broadcast(from: number, fromOffset: number, outs: Float64Array, bytes: number): void;
  /** Calls `done` on this thread once what writes `id` so far has ended. */
  whenReady(id: number, done: (error: Error | undefined) => void): void;
  /** Blocks until all work of this thread on the device has ended. */
  synchronize(device: number): void;
  /**
   * Carries out operations, one after the other for all that can be seen. `words` is as
   * native/cuda/operations.ts writes it: all of one device. What throws has done nothing; `memory_limit`
   * comes after memory that was released has been waited for.
   */
  run(device: number, words: Float64Array, count: number): void;
  /** A handle (64 bytes) by which another process may open the allocation of `id`; and the way back. */
  exportHandle(id: number): Uint8Array;
  importHandle(device: number, handle: Uint8Array, bytes: number): number;
  /** Loads a module: a cubin, a fatbin, or PTX. It lives as long as the process. Gives its number. */
  loadModule(device: number, image: Uint8Array): number;
  /** PTX of CUDA C++, by NVRTC where it is installed; else throws `cuda_unavailable`. */
  compile(source: string, options: readonly string[]): Uint8Array;
  /** The number of a kernel of a module. Throws `bad_argument` for a name that it has not. */
  kernel(module: number, name: string): number;
  /**
   * Launches a kernel. `args`: four numbers each: kind (0: an array, 1: int32, 2: uint32, 3: float32,
   * 4: float64, 5: int64 as low and high word), then id and byteOffset of an array or the number (or its
   * two words), then access of an array (1: read, 2: write, 3: both).
   */
  launch(
    kernel: number,
    grid: readonly [number, number, number],
    block: readonly [number, number, number],
    sharedBytes: number,
    args: Float64Array,
  ): void;
}
