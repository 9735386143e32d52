import { loadAddon } from '../../../native/addon.js';
import type { AddonCuda } from '../../../native/cuda/addon-cuda.js';
import { operationCodes } from '../../../native/cuda/operations.js';

/** What the addon has of CUDA. These tests run on the stand-in driver: scripts/cuda-tests.mjs. */
export function standIn(): AddonCuda {
  const { addon, missingReason } = loadAddon();
  if (addon === undefined) throw new Error(missingReason);
  const reason = addon.cuda.missingReason();
  if (reason !== undefined) throw new Error(reason);
  return addon.cuda;
}

/** An array of an operation: id and byteOffset. */
export type Part = readonly [id: number, byteOffset: number];

/** An operation on float32 without scalars and without arrays of a step, as words. */
export function wordsOf(
  code: keyof typeof operationCodes,
  length: number,
  inputs: readonly Part[],
  outs: readonly Part[],
): number[] {
  const head = [operationCodes[code], 0, 0, length, 0, 0, 0, 0, 0, 0, 0];
  const none = Array.from({ length: 10 }, () => 0);
  return [...head, inputs.length, outs.length, 0, 0, ...none, ...inputs.flat(), ...outs.flat()];
}

/** `outs[0] = inputs[0] + inputs[1] + …` on `device`. */
export function sum(
  cuda: AddonCuda,
  device: number,
  length: number,
  inputs: readonly number[],
  out: number,
): void {
  const parts = inputs.map((id): Part => [id, 0]);
  cuda.run(device, new Float64Array(wordsOf('sum', length, parts, [[out, 0]])), 1);
}

/** `length` elements of an array. */
export function read(cuda: AddonCuda, id: number, length: number): number[] {
  const out = new Float32Array(length);
  cuda.download(id, 0, out);
  return [...out];
}

/** A call with a callback, as a promise. */
export function settled(call: (done: (error: Error | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
