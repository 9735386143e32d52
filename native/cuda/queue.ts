import { withRoom, type DeviceArray } from '../../src/core/device-array.js';
import type { DeviceWatcher } from '../types.js';
import { cudaAddon } from './door.js';
import { arraysOf, OperationWords, type Operation } from './operation-words.js';

/** Operations that one call of the driver takes; more are several calls. */
const mostOperations = 4096;

let watcher: DeviceWatcher | undefined;

/** Work of this thread for one CUDA device, kept back until somebody reads what it writes. */
class DeviceQueue {
  readonly #device: number;
  readonly #words = new OperationWords();
  #count = 0;
  /** Allocations that it reads or writes. */
  readonly #touched = new Set<number>();
  /** Arrays that must live until it is sent. */
  readonly #kept: DeviceArray[] = [];
  /** Arrays that nobody needs once it is sent. */
  readonly #discarded: DeviceArray[] = [];

  constructor(device: number) {
    this.#device = device;
  }

  add(operation: Operation): void {
    this.#words.add(operation);
    this.#count += 1;
    for (const array of arraysOf(operation)) {
      this.#touched.add(array.id);
      this.#kept.push(array);
    }
    if (this.#count >= mostOperations) this.send();
  }

  discard(array: DeviceArray): void {
    if (this.#count === 0) array.free();
    else this.#discarded.push(array);
  }

  discardWithNext(array: DeviceArray): void {
    this.#discarded.push(array);
  }

  touches({ id }: DeviceArray): boolean {
    return this.#touched.has(id);
  }

  send(): void {
    if (this.#count === 0) return this.#forget();
    try {
      withRoom(() => cudaAddon().run(this.#device, this.#words.words, this.#count));
    } catch (error) {
      this.#forget();
      watcher?.failed(this.#device, error);
      throw error;
    }
    this.#forget();
    watcher?.sent(this.#device);
  }

  #forget(): void {
    this.#words.clear();
    this.#count = 0;
    this.#touched.clear();
    this.#kept.length = 0;
    for (const each of this.#discarded) each.free();
    this.#discarded.length = 0;
  }
}

const queues: DeviceQueue[] = [];

function queueOf(device: number): DeviceQueue {
  return (queues[device] ??= new DeviceQueue(device));
}

/** Has `device` do something, after all that it was asked before. */
export function enqueue(device: number, operation: Operation): void {
  queueOf(device).add(operation);
}

/** `array` is a copy for what is enqueued next, and of no use once that is sent. */
export function freeAfterNext(array: DeviceArray): void {
  queueOf(array.device).discardWithNext(array);
}

/** Nobody uses `array` any more but what was enqueued. */
export function discard(array: DeviceArray): void {
  queueOf(array.device).discard(array);
}

/** Sends what is kept back if it reads or writes `array`, so that other calls may follow it. */
export function settle(array: DeviceArray): void {
  const queue = queueOf(array.device);
  if (queue.touches(array)) queue.send();
}

/** See `Kernels.flush`. */
export function flush(device?: number): void {
  if (device !== undefined) return queueOf(device).send();
  let failure: Error | undefined;
  for (const queue of queues) {
    try {
      queue?.send();
    } catch (error) {
      failure ??= error as Error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** See `Kernels.watch`. */
export function watch(next: DeviceWatcher | undefined): void {
  watcher = next;
}
