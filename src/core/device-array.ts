import { deviceBackend } from './device-backend.js';
import { dtypeInfo, isTypedArray, type DType, type TensorData } from './dtypes.js';
import { KVStoreError } from './errors.js';
import { collectGarbage } from './memory.js';

/** What holds the elements of a tensor: shared memory, or memory of a GPU. */
export type Elements = TensorData | DeviceArray;

/** This thread's hold on an allocation. Arrays that share one keep it. */
class Hold {
  // No WeakRef: it would keep what a loop leaves behind until the turn of the event loop has ended.
  readonly number = deviceBackend().watch(this);
}

/** The allocation of each hold that has not ended, so that a sweep need not wait for the registry. */
const holds = new Map<number, number>();
const collected = new FinalizationRegistry<number>(letGo);

/** Bytes that have come to this thread since holds were last looked through for ones that nobody has. */
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

  /** Whether it lies in its allocation, where elements may start; true where that is gone. */
  get isInside(): boolean {
    if (this.#hold === undefined) return true;
    const isAligned = this.byteOffset % dtypeInfo(this.dtype).bytes === 0;
    try {
      const { device, bytes } = deviceBackend().about(this.id);
      return device === this.device && isAligned && this.byteOffset + this.byteLength <= bytes;
    } catch (error) {
      if (isGone(error)) return true;
      throw error;
    }
  }

  /** Throws `peer_dead` where the allocation was gone when it came to this thread. */
  assertHeld(): void {
    if (this.#hold === undefined) deviceBackend().about(this.id);
  }

  /** Lets go of the allocation now; for arrays that nobody else has seen. */
  free(): void {
    if (this.#hold !== undefined) letGo(this.#hold.number);
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
  count(bytes);
  const id = withRoom(() => deviceBackend().allocate(device, bytes));
  const array = { device, id, byteOffset: 0, length, dtype };
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
  count(elements.length * dtypeInfo(elements.dtype).bytes);
  try {
    deviceBackend().retain(elements.id);
  } catch (error) {
    if (!isGone(error)) throw error;
    return new DeviceArray(elements);
  }
  return arrayOn(elements);
}

function isGone(error: unknown): boolean {
  return error instanceof KVStoreError && error.code === 'peer_dead';
}

/** What `ask` gives. Where a device has no room for it, it is asked again without the garbage there. */
export function withRoom<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof KVStoreError) || error.code !== 'memory_limit') throw error;
    sweep();
    return ask();
  }
}

function newHold(id: number): Hold {
  const hold = new Hold();
  holds.set(hold.number, id);
  collected.register(hold, hold.number);
  return hold;
}

function letGo(hold: number): void {
  const id = holds.get(hold);
  if (!holds.delete(hold)) return;
  deviceBackend().forget(hold);
  deviceBackend().release(id!);
}

/**
 * Gives back what this thread holds and nobody has any more: memory of a device weighs nothing to the
 * collector, so garbage would fill it.
 */
export function sweepDevices(): void {
  if (isInUse) sweep();
}

function count(bytes: number): void {
  unsweptBytes += bytes;
  if (unsweptBytes > sweepEveryBytes) sweep();
}

function sweep(): void {
  unsweptBytes = 0;
  collectGarbage();
  for (const hold of deviceBackend().collected()) letGo(hold);
}
