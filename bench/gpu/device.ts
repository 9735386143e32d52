import { cuda, zeros, type Tensor } from 'tensorkv';
import { cudaAddon } from '../../native/cuda/door.js';
import { kernels } from '../../native/kernels.js';
import { integerAt } from '../arrays.js';
import type { Variant } from '../harness.js';

/** The device that all benches measure. */
export const gpu = cuda(0);

/** Sends what is kept back and waits until the device has done it. */
export function finish(): void {
  kernels.flush();
  cudaAddon().synchronize(gpu.index);
}

/** A variant's `run` for work that the device does: the time ends with the last of it. */
export function repeatOnDevice(once: () => void | Promise<unknown>): Variant['run'] {
  return async (times) => {
    for (let i = 0; i < times; i++) await once();
    finish();
  };
}

/** Small positive integers on the device, as `integers` of arrays.ts makes them. */
export function gpuIntegers(length: number, seed: number): Tensor {
  const here = zeros([length]);
  for (let i = 0; i < length; i++) here.data[i] = integerAt(i, seed);
  return here.to(gpu);
}

/**
 * Moves `bytes` bytes of the device's memory: half of them are read and written elsewhere. It does the
 * least that work of as many bytes can do.
 */
export function copyOf(bytes: number): Variant {
  const length = Math.max(1, Math.round(bytes / 8));
  const source = gpuIntegers(length, 1);
  const out = zeros([length], { device: gpu });
  return {
    run: repeatOnDevice(() => {
      out.copyFrom(source);
    }),
    check: { holds: () => out.toFloat32().every((x, i) => x === integerAt(i, 1)) },
  };
}
