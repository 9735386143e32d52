import { deviceBackend } from './device-backend.js';
import { dtypeInfo, isTypedArray, type DType, type TensorData } from './dtypes.js';
import { KVStoreError } from './errors.js';
import { collectGarbage } from './memory.js';

/** What holds the elements of a tensor: shared memory, or memory of a GPU. */
export type Elements = TensorData | DeviceArray;

/** This thread's hold on an allocation. Arrays that share one keep it. */
class Hold {
  readonly ref = new WeakRef(this);
}

/** Of each hold that has not ended, so that a sweep need not wait for the registry. */
const holds = new Map<WeakRef<Hold>, number>();
const collected = new FinalizationRegistry<WeakRef<Hold>>(letGo);

/** Bytes allocated since holds were last looked through for ones that nobody has. */
let unsweptBytes = 0;
const sweepEveryBytes = 2 ** 30;
let isInUse = false;

/**
 * Elements on a CUDA device. As plain data it crosses threads; `adopted` makes an array of that again.
 * The sender keeps its own until then: an allocation lives as long as a thread holds it.
 */
export class DeviceArray {
  /** The index of the CUDA device. */
  readonly device: number;
  /** The number of the allocation, in this process. */
  readonly id: number;
  readonly byteOffset: number;
  readonly length: number;
  readonly dtype: DType;
  // Private, so that no clone has it.
  readonly #hold: Hold | undefined;

  constructor({ device, id, byteOffset, length, dtype }: PlainArray, hold?: Hold) {
    isInUse = true;
    this.device = device;
    this.id = id;
    this.byteOffset = byteOffset;
    this.length = length;
    this.dtype = dtype;
    this.#hold = hold;
  }

  get byteLength(): number {
    return this.length * dtypeInfo(this.dtype).bytes;
  }

  /** Some of the elements: the same memory. */
  subarray(begin = 0, end = this.length): DeviceArray {
    const first = Math.min(begin, this.length);
    const length = Math.max(Math.min(end, this.length) - first, 0);
    const byteOffset = this.byteOffset + first * dtypeInfo(this.dtype).bytes;
    const { device, id, dtype } = this;
    return new DeviceArray({ device, id, byteOffset, length, dtype }, this.#hold);
  }

  /** The same memory as elements of another dtype. */
  as(dtype: DType): DeviceArray {
    const length = this.byteLength / dtypeInfo(dtype).bytes;
    const { device, id, byteOffset } = this;
    return new DeviceArray({ device, id, byteOffset, length, dtype }, this.#hold);
  }

  /** Lets go of the allocation now; for arrays that nobody else has seen. */
  free(): void {
    if (this.#hold !== undefined) letGo(this.#hold.ref);
  }
}

/** A `DeviceArray` as it arrives at another thread. */
export type PlainArray = Pick<DeviceArray, 'device' | 'id' | 'byteOffset' | 'length' | 'dtype'>;

/** Whether this thread has seen any array on a device: else nobody need look for them. */
export function areDevicesInUse(): boolean {
  return isInUse;
}

/** Zeros on CUDA device `device`. Throws `memory_limit`, `cuda_unavailable`, `peer_dead`. */
export function allocateOn(device: number, dtype: DType, length: number): DeviceArray {
  const bytes = Math.max(length * dtypeInfo(dtype).bytes, 1);
  unsweptBytes += bytes;
  if (unsweptBytes > sweepEveryBytes) sweep();
  const array = { device, id: allocation(device, bytes), byteOffset: 0, length, dtype };
  return new DeviceArray(array, newHold(array.id));
}

/** An allocation that this thread holds already, as an array that ends the hold. */
export function arrayOn(plain: PlainArray): DeviceArray {
  return new DeviceArray(plain, newHold(plain.id));
}

/**
 * `elements` as another thread sent them, held by this one. Of an allocation that is gone every use
 * throws `peer_dead`.
 */
export function adopted(elements: Elements | PlainArray): Elements {
  if (elements instanceof DeviceArray || isTypedArray(elements)) return elements;
  try {
    deviceBackend().retain(elements.id);
  } catch (error) {
    if (!(error instanceof KVStoreError) || error.code !== 'peer_dead') throw error;
    return new DeviceArray(elements);
  }
  return arrayOn(elements);
}

function allocation(device: number, bytes: number): number {
  const backend = deviceBackend();
  try {
    return backend.allocate(device, bytes);
  } catch (error) {
    if (!(error instanceof KVStoreError) || error.code !== 'memory_limit') throw error;
    sweep();
    return backend.allocate(device, bytes);
  }
}

function newHold(id: number): Hold {
  const hold = new Hold();
  holds.set(hold.ref, id);
  collected.register(hold, hold.ref);
  return hold;
}

function letGo(ref: WeakRef<Hold>): void {
  const id = holds.get(ref);
  if (!holds.delete(ref)) return;
  deviceBackend().release(id!);
}

/**
 * Gives back what this thread holds and nobody has any more: memory of a device weighs nothing to the
 * collector, so garbage would fill it.
 */
export function sweepDevices(): void {
  if (isInUse) sweep();
}

function sweep(): void {
  unsweptBytes = 0;
  collectGarbage();
  for (const ref of holds.keys()) if (ref.deref() === undefined) letGo(ref);
}
