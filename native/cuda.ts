import { arrayOn, DeviceArray, type Elements } from '../src/core/device-array.js';
import type { CudaDevice } from '../src/core/devices.js';
import { dtypeInfo, type DType } from '../src/core/dtypes.js';
import { copyElements } from '../src/core/elements.js';
import { KVStoreError } from '../src/core/errors.js';
import type { CudaNcclInfo } from './cuda/addon-cuda.js';
import { cudaAddon, cudaError, missingDeviceReason, missingReason } from './cuda/door.js';
import { kernels } from './kernels.js';

/** The door to CUDA for what is not a kernel of the store: devices, waits, handles, users' kernels. */

export type { CudaNcclInfo };
export { missingDeviceReason, missingReason };

/** Such as 13000. Throws `cuda_unavailable`, as all that follows. */
export function driverVersion(): number {
  return cudaAddon().driverVersion();
}

export function deviceCount(): number {
  return missingReason() === undefined ? cudaAddon().deviceCount() : 0;
}

export function deviceInfo(device: number): CudaDevice {
  return cudaAddon().deviceInfo(device);
}

/** Which NCCL there is. Opens it. */
export function ncclInfo(): CudaNcclInfo {
  return cudaAddon().ncclInfo();
}

/** Blocks until all work of this thread on the device has ended. */
export function synchronize(device: number): void {
  kernels.flush(device);
  cudaAddon().synchronize(device);
}

/** Where elements lie on their device. */
export function addressOf({ id, byteOffset }: DeviceArray): bigint {
  return cudaAddon().arrayInfo(id).address + BigInt(byteOffset);
}

/** Resolves once what writes the elements so far has ended. */
export function ready(array: DeviceArray): Promise<void> {
  kernels.flush(array.device);
  return settled((done) => cudaAddon().whenReady(array.id, done));
}

/** As `copyElements`; resolves once `out` has them. */
export function copyAsync(source: Elements, out: Elements): Promise<void> {
  if (source instanceof DeviceArray && !(out instanceof DeviceArray)) {
    if (out.length === 0) return Promise.resolve();
    kernels.flush(source.device);
    const { id, byteOffset } = source;
    return settled((done) => cudaAddon().downloadAsync(id, byteOffset, out, done));
  }
  copyElements(source, out);
  return out instanceof DeviceArray ? ready(out) : Promise.resolve();
}

function settled(start: (done: (error: Error | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === undefined ? resolve() : reject(cudaError(error))));
  });
}

/** A handle by which another process opens the allocation of `array`, which must start it. */
export function exportHandle({ id, byteOffset }: DeviceArray): Uint8Array {
  if (byteOffset === 0) return cudaAddon().exportHandle(id);
  const message = 'exportHandle expected a tensor that starts its allocation';
  throw new KVStoreError('bad_argument', message);
}

/** Elements of an allocation of another process. */
export function importHandle(
  device: number,
  handle: Uint8Array,
  { dtype, length }: { readonly dtype: DType; readonly length: number },
): DeviceArray {
  const id = cudaAddon().importHandle(device, handle, length * dtypeInfo(dtype).bytes);
  return arrayOn({ device, id, byteOffset: 0, length, dtype });
}

/** PTX of CUDA C++. */
export function compile(source: string, options: readonly string[]): Uint8Array {
  return cudaAddon().compile(source, options);
}

/** The number of a module on a device. */
export function loadModule(device: number, image: Uint8Array): number {
  return cudaAddon().loadModule(device, image);
}

/** The number of a kernel of a module. */
export function kernelOf(module: number, name: string): number {
  return cudaAddon().kernel(module, name);
}

/** What a kernel does with an array, as `AddonCuda.launch` has it. */
export type AccessMode = 'read' | 'write' | 'readWrite';

/** An argument of a launch. */
export type LaunchArgument =
  | { readonly kind: 'array'; readonly array: DeviceArray; readonly access: AccessMode }
  | { readonly kind: 'int32' | 'uint32' | 'float32' | 'float64'; readonly value: number }
  | { readonly kind: 'int64'; readonly value: bigint };

/** How a kernel is launched. */
export interface LaunchShape {
  readonly grid: readonly [number, number, number];
  readonly block: readonly [number, number, number];
  readonly sharedBytes: number;
}

const kinds = { array: 0, int32: 1, uint32: 2, float32: 3, float64: 4, int64: 5 } as const;
const accesses = { read: 1, write: 2, readWrite: 3 } as const;

/** Whether something is an argument of a launch. */
export function isArgument(argument: unknown): argument is LaunchArgument {
  const { kind, array } = Object(argument) as { readonly kind?: unknown; readonly array?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) return false;
  return kind !== 'array' || array instanceof DeviceArray;
}

/** Launches a kernel of a module on a device, in order with the other work on its arrays. */
export function launchKernel(
  device: number,
  kernel: number,
  { grid, block, sharedBytes }: LaunchShape,
  args: readonly LaunchArgument[],
): void {
  kernels.flush(device);
  const words = Float64Array.from(args.flatMap(wordsOf));
  cudaAddon().launch(kernel, grid, block, sharedBytes, words);
}

function wordsOf(argument: LaunchArgument): readonly number[] {
  const kind = kinds[argument.kind];
  switch (argument.kind) {
    case 'array': {
      const { array, access } = argument;
      return [kind, array.id, array.byteOffset, accesses[access]];
    }
    case 'int64': {
      const { value } = argument;
      return [kind, Number(BigInt.asUintN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), 0];
    }
    default:
      return [kind, argument.value, 0, 0];
  }
}
