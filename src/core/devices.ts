import { missingDevice } from './device-backend.js';
import { KVStoreError, show } from './errors.js';

/** Where a tensor lives: a simulated CPU device, which is a name only, or a CUDA device. */
export interface Device {
  readonly type: 'cpu' | 'cuda';
  readonly index: number;
}

/** The simulated device `index`. All of them share the machine's memory. */
export function cpu(index = 0): Device {
  return Object.freeze({ type: 'cpu', index: checkIndex('cpu', index) });
}

/**
 * The CUDA device `index`. Tensors on it need a driver and a GPU, else what makes them throws
 * `cuda_unavailable`; `status` of `tensorkv/cuda` says why beforehand.
 */
export function cuda(index = 0): Device {
  return Object.freeze({ type: 'cuda', index: checkIndex('cuda', index) });
}

/** Throws `bad_argument` for what is no device, `cuda_unavailable` for one that is not there. */
export function assertDevice(device: unknown): asserts device is Device {
  const candidate = device as Partial<Device> | null | undefined;
  if (candidate?.type !== 'cpu' && candidate?.type !== 'cuda') {
    throw new KVStoreError('bad_argument', `expected a device such as cpu(0), got ${show(device)}`);
  }
  checkIndex(candidate.type, candidate.index);
  if (candidate.type === 'cpu') return;
  const reason = missingDevice(candidate.index!);
  if (reason === undefined) return;
  const message = `${showDevice(candidate as Device)} cannot hold tensors: ${reason}`;
  throw new KVStoreError('cuda_unavailable', message);
}

/** A device as people write it: `cpu(0)`. */
export function showDevice(device: Device): string {
  return `${device.type}(${device.index})`;
}

function checkIndex(type: string, index: unknown): number {
  if (Number.isSafeInteger(index) && (index as number) >= 0) return index as number;
  throw new KVStoreError(
    'bad_argument',
    `expected a device index (an integer from 0 up) in ${type}(...), got ${show(index)}`,
  );
}

/** A CUDA device of this machine. */
export interface CudaDevice {
  readonly index: number;
  readonly name: string;
  /** Compute capability, such as `[9, 0]`. */
  readonly capability: readonly [major: number, minor: number];
  readonly processors: number;
  readonly totalBytes: number;
  /** As it is now, whoever has taken the rest. */
  readonly freeBytes: number;
  readonly uuid: string;
  /** One sentence that says why it cannot be used, where it cannot. */
  readonly reason?: string;
}
