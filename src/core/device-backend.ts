import type { DeviceArray, Elements } from './device-array.js';
import type { DType, TensorData } from './dtypes.js';
import type { Scalar } from './elementwise.js';
import { KVStoreError } from './errors.js';

/** What tensors on CUDA devices need; arrays may live anywhere, the result is where `out` does. */
export interface DeviceBackend {
  /** Why there is no device of this index, one sentence; undefined where there is. */
  missingReason(device: number): string | undefined;
  /** The number of an allocation that this thread holds once. */
  allocate(device: number, bytes: number): number;
  retain(id: number): void;
  release(id: number): void;
  /** Has `collected` give the number of `object` once that is collected, until `forget`. */
  watch(object: object): number;
  forget(number: number): void;
  collected(): readonly number[];
  /** Throws `peer_dead` where it is gone. */
  about(id: number): { readonly device: number; readonly bytes: number };
  /** Nobody uses `array` any more but work of this thread that may not have been sent. */
  discard(array: DeviceArray): void;
  /** Waits for what writes `source`, and copies it to `out`, of its length and dtype. */
  download(source: DeviceArray, out: TensorData): void;
  copy(source: Elements, out: Elements): void;
  cast(source: Elements, from: DType, out: Elements, to: DType): void;
  fill(dtype: DType, out: Elements, x: Scalar): void;
  addScaled(dtype: DType, inputs: readonly [Elements, Elements], by: Scalar, out: Elements): void;
  addNumber(dtype: DType, a: Elements, x: Scalar, out: Elements): void;
  multiply(dtype: DType, inputs: readonly [Elements, Elements], out: Elements): void;
  multiplyNumber(dtype: DType, a: Elements, x: Scalar, out: Elements): void;
}

let backend: DeviceBackend | undefined;

/** Has tensors of this thread live on CUDA devices from now on, where they are asked to. */
export function useDeviceBackend(given: DeviceBackend): void {
  backend = given;
}

/** What `useDeviceBackend` was given. Throws `cuda_unavailable`. */
export function deviceBackend(): DeviceBackend {
  if (backend !== undefined) return backend;
  throw new KVStoreError('cuda_unavailable', 'nothing was loaded that knows CUDA devices');
}

/** Why there is no CUDA device `index`; undefined where there is. */
export function missingDevice(index: number): string | undefined {
  return backend === undefined
    ? 'nothing was loaded that knows CUDA devices'
    : backend.missingReason(index);
}
