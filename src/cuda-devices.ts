import * as native from '../native/cuda.js';
import { DeviceArray } from './core/device-array.js';
import { assertDevice, cuda, type CudaDevice, type Device } from './core/devices.js';
import { dtypeInfo, type DType } from './core/dtypes.js';
import { KVStoreError, show } from './core/errors.js';
import { sameShape, showShape, sizeOf, toShape, type Shape } from './core/shape.js';
import { arrayOf, Tensor, type AnyTensor } from './core/tensor.js';
import { TensorView } from './core/tensor-view.js';

/** What there is of NCCL, which copies a tensor to several other devices at once. */
export interface NcclStatus {
  /** Otherwise tensors are copied to one device after the other: the same, but slower. */
  readonly available: boolean;
  /** One sentence that says why it is not available. */
  readonly reason?: string;
  /** Such as `'2.27.3'`. */
  readonly version?: string;
}

/** What there is of CUDA on this machine. */
export interface CudaStatus {
  readonly available: boolean;
  /** One sentence that says why it is not available. */
  readonly reason?: string;
  /** Such as 13000 for 13.0. */
  readonly driverVersion?: number;
  /** Of NCCL, where CUDA is available. */
  readonly nccl?: NcclStatus;
  readonly devices: readonly CudaDevice[];
}

/**
 * Whether CUDA can be used here, and with what. Loads the driver, and NCCL; never throws for want of one.
 */
export function status(): CudaStatus {
  const reason = native.missingReason();
  if (reason !== undefined) return { available: false, reason, devices: [] };
  const found = native.ncclInfo();
  const nccl = { available: found.reason === undefined, ...found };
  return { available: true, driverVersion: native.driverVersion(), nccl, devices: devices() };
}

/** How many CUDA devices there are: 0 where CUDA is not available. */
export function deviceCount(): number {
  return native.deviceCount();
}

/** The CUDA devices of this machine; none where CUDA is not available. */
export function devices(): CudaDevice[] {
  return Array.from({ length: deviceCount() }, (_, index) => {
    const reason = native.missingDeviceReason(index);
    return { ...native.deviceInfo(index), ...(reason === undefined ? {} : { reason }) };
  });
}

/**
 * Blocks this thread until all that it has asked of a device has ended. Throws `cuda_unavailable`,
 * `peer_dead` where the device is lost.
 */
export function synchronize(device: Device = cuda(0)): void {
  native.synchronize(indexOf(device, 'synchronize'));
}

/** The address of a tensor on its device, for libraries that take pointers. Keep the tensor meanwhile. */
export function address(tensor: AnyTensor): bigint {
  return native.addressOf(cudaArray(tensor, 'address'));
}

/**
 * Resolves once what writes a tensor so far has ended; at once for one on the CPU. Rejects with
 * `peer_dead` where its device is lost.
 */
export async function ready(tensor: AnyTensor): Promise<void> {
  const data = arrayOf(asTensor(tensor, 'ready'));
  if (data instanceof DeviceArray) await native.ready(data);
}

/**
 * As `to.copyFrom(from)`, without blocking this thread: resolves once `to` has the elements. Neither
 * may be written to meanwhile. Rejects with `shape_mismatch`, `dtype_mismatch`, `peer_dead`.
 */
export async function copyAsync(from: AnyTensor, to: AnyTensor): Promise<void> {
  const [source, out] = [asTensor(from, 'copyAsync'), asTensor(to, 'copyAsync')];
  if (out instanceof TensorView) {
    throw new KVStoreError('bad_argument', 'copyAsync expected a tensor to write to, got a view');
  }
  if (!sameShape(source.shape, out.shape)) {
    const message = `copyAsync expected shape ${showShape(out.shape)}, got ${showShape(source.shape)}`;
    throw new KVStoreError('shape_mismatch', message);
  }
  if (source.dtype !== out.dtype) {
    const message = `copyAsync expected dtype ${out.dtype}, got ${source.dtype}`;
    throw new KVStoreError('dtype_mismatch', message);
  }
  await native.copyAsync(arrayOf(source), arrayOf(out));
}

/** A tensor as another process of this machine may open it; plain data. */
export interface ExportedTensor {
  readonly handle: Uint8Array;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The index of the device in the process that exported it. */
  readonly device: number;
}

/**
 * A tensor as plain data that another process can make a tensor of the same memory of. It is to be
 * kept as long as the other uses it. Throws `bad_argument` for one on the CPU.
 */
export function exportHandle(tensor: AnyTensor): ExportedTensor {
  const data = cudaArray(tensor, 'exportHandle');
  const { shape, dtype } = tensor;
  return { handle: native.exportHandle(data), shape, dtype, device: data.device };
}

/**
 * A tensor on memory that another process has exported, on `device` where that has another index here.
 * Nothing orders what the two processes do with it: they have to. Throws `bad_argument`.
 */
export function importTensor(exported: ExportedTensor, device?: Device): Tensor {
  if (typeof exported !== 'object' || exported === null) {
    const message = `importTensor expected what exportHandle gives, got ${show(exported)}`;
    throw new KVStoreError('bad_argument', message);
  }
  const { handle } = exported;
  const { name: dtype } = dtypeInfo(exported.dtype);
  const shape = toShape(exported.shape);
  const place = device ?? cuda(exported.device);
  const index = indexOf(place, 'importTensor');
  if (!(handle instanceof Uint8Array) || handle.length !== 64) {
    const message = `importTensor expected a handle of 64 bytes, got ${show(handle)}`;
    throw new KVStoreError('bad_argument', message);
  }
  const data = native.importHandle(index, handle, { dtype, length: sizeOf(shape) });
  return Tensor.fromHandle({ shape, dtype, device: place, data });
}

function indexOf(device: Device, what: string): number {
  assertDevice(device);
  if (device.type === 'cuda') return device.index;
  const message = `${what} expected a CUDA device such as cuda(0), got cpu(${device.index})`;
  throw new KVStoreError('bad_argument', message);
}

function asTensor(tensor: unknown, what: string): AnyTensor {
  if (tensor instanceof Tensor) return tensor as AnyTensor;
  throw new KVStoreError('bad_argument', `${what} expected a tensor, got ${show(tensor)}`);
}

function cudaArray(tensor: unknown, what: string): DeviceArray {
  const data = arrayOf(asTensor(tensor, what));
  if (data instanceof DeviceArray) return data;
  const message = `${what} expected a tensor on a CUDA device, got one on the CPU`;
  throw new KVStoreError('bad_argument', message);
}
