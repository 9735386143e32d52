import type { MessagePort } from 'node:worker_threads';
import type { FromDevice, ParcelTaken } from '../actors/device-group.js';
import { areDevicesInUse, DeviceArray } from './core/device-array.js';
import { isPlainObject } from './core/options.js';

/**
 * What a device sends its group. Tensors on CUDA devices live as long as a thread holds them, so those
 * it sends are kept, and the thread with them, until the group has unpacked them.
 */
export class Parcels {
  readonly #port: MessagePort;
  readonly #kept = new Map<number, FromDevice>();
  #last = 0;
  readonly #onTaken = (message: Partial<ParcelTaken> | null): void => {
    if (message?.type !== 'tensorkv:taken') return; // A program may be sent messages of its own.
    this.#kept.delete(message.parcel!);
    if (this.#kept.size === 0) this.#port.off('message', this.#onTaken);
  };

  constructor(port: MessagePort) {
    this.#port = port;
  }

  post(message: FromDevice): void {
    const isParcel = message.type !== 'failed' && areDevicesInUse() && hasDeviceArrays(message);
    if (!isParcel) return this.#port.postMessage(message);
    const parcel = ++this.#last;
    if (this.#kept.size === 0) this.#port.on('message', this.#onTaken);
    this.#kept.set(parcel, message);
    this.#port.postMessage({ ...message, parcel });
  }
}

/** Whether packed tensors in `value` are on CUDA devices. */
function hasDeviceArrays(value: unknown): boolean {
  if (value instanceof DeviceArray) return true;
  if (Array.isArray(value)) return value.some(hasDeviceArrays);
  return isPlainObject(value) && Object.values(value).some(hasDeviceArrays);
}
