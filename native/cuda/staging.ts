import { allocateOn, DeviceArray, type Elements } from '../../src/core/device-array.js';
import { dtypeInfo, isTypedArray, type DType } from '../../src/core/dtypes.js';
import type { AnyTypedArray } from '../types.js';
import { cudaAddon } from './door.js';
import { enqueue, freeAfterNext, settle } from './queue.js';

/** Moves elements between the CPU and devices. */

/** Waits for what writes `source`, and copies it to `out`, of as many bytes. */
export function download(source: DeviceArray, out: AnyTypedArray): void {
  settle(source);
  if (out.byteLength > 0) cudaAddon().download(source.id, source.byteOffset, out);
}

/** Copies elements of one dtype from or to a device, in order with all other work. */
export function transfer(source: Elements | AnyTypedArray, out: Elements | AnyTypedArray): void {
  if (out.byteLength === 0) return;
  if (!(out instanceof DeviceArray)) {
    download(source as DeviceArray, out);
  } else if (!(source instanceof DeviceArray)) {
    settle(out);
    cudaAddon().upload(source, out.id, out.byteOffset);
  } else if (source.device === out.device) {
    copyWithin(source, [out]);
  } else {
    settle(source);
    settle(out);
    const bytes = out.byteLength;
    cudaAddon().copy(source.id, source.byteOffset, out.id, out.byteOffset, bytes);
  }
}

/** Copies `source` to every out, which are on other devices. */
export function broadcast(source: DeviceArray, outs: readonly DeviceArray[]): void {
  if (source.byteLength === 0) return;
  if (outs.length < 2) {
    for (const out of outs) transfer(source, out);
    return;
  }
  settle(source);
  for (const out of outs) settle(out);
  const places = Float64Array.from(outs.flatMap(({ id, byteOffset }) => [id, byteOffset]));
  cudaAddon().broadcast(source.id, source.byteOffset, places, source.byteLength);
}

/** Copies `source` to every out on its device. */
export function copyWithin(source: DeviceArray, outs: readonly DeviceArray[]): void {
  const others = outs.filter((out) => !isSame(source, out));
  if (source.length === 0 || others.length === 0) return;
  const { dtype, length } = source;
  enqueue(source.device, { code: 'sum', dtype, length, inputs: [source], outs: others });
}

/** `elements` on `device`: as they are, or as a copy that is gone once what is enqueued has been sent. */
export function onDevice(
  elements: Elements | AnyTypedArray,
  device: number,
  dtype: DType,
): DeviceArray {
  if (elements instanceof DeviceArray && elements.device === device) return elements;
  const { length } = elements;
  const copy = allocateOn(device, dtype, length);
  try {
    transfer(elements, copy);
  } catch (error) {
    copy.free();
    throw error;
  }
  freeAfterNext(copy);
  return copy;
}

/** Where the first array on a device lives; undefined where all are typed arrays. */
export function deviceAmong(
  ...lists: readonly (readonly (Elements | AnyTypedArray | undefined)[])[]
): number | undefined {
  for (const list of lists) {
    for (const each of list) {
      if (each !== undefined && !isTypedArray(each)) return (each as DeviceArray).device;
    }
  }
  return undefined;
}

/** A typed array of what a kernel on a device gives as `length` elements, made in a temporary. */
export function resultOf<T extends AnyTypedArray>(
  device: number,
  dtype: DType,
  into: T,
  run: (out: DeviceArray) => void,
): T {
  const out = allocateOn(device, dtype, into.byteLength / dtypeInfo(dtype).bytes);
  try {
    run(out);
    download(out, into);
    return into;
  } finally {
    out.free();
  }
}

function isSame(a: DeviceArray, b: DeviceArray): boolean {
  return a.id === b.id && a.byteOffset === b.byteOffset;
}
