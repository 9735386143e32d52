import test, { type ExecutionContext } from 'ava';
import { cudaAddon } from '../../native/cuda/door.js';
import { onHost } from '../../src/core/elements.js';
import { arrayOf } from '../../src/core/tensor.js';
import { compile, deviceCount, status } from '../../src/cuda.js';
import { KVStoreError, type AnyTensor } from '../../src/index.js';
import { count } from './cuda-tensors.js';
import { firstDifference } from './floats.js';

export { first, randomTensor, second, tameTensor } from './cuda-tensors.js';

/**
 * Tests of CUDA devices: they are skipped where there are none. `npm run cuda:test` has a driver that
 * stands in for one.
 */

/** Declares a test that needs a CUDA device. */
export const cudaTest = count > 0 ? test : test.skip;

/** Whether the driver is the one that stands in for a GPU: it can be told to fail. */
export const isStandIn = deviceCount() > 1 && status().devices[0]!.name.startsWith('stand-in');

/** Declares a test of what only the driver that stands in for a GPU does. */
export const standInTest = isStandIn ? test : test.skip;

/** Declares a test that needs NVRTC beside a CUDA device: without it, the name says why it is skipped. */
export function compilerTest(title: string, run: (t: ExecutionContext) => void): void {
  const reason = count > 0 ? compilerReason() : 'there is no CUDA device';
  if (reason === undefined) test(title, run);
  else test.skip(`${title} (${reason})`, run);
}

function compilerReason(): string | undefined {
  try {
    compile('extern "C" __global__ void none() {}');
    return undefined;
  } catch (error) {
    if (error instanceof KVStoreError && error.code === 'cuda_unavailable') return error.message;
    throw error;
  }
}

/** One at a time, as tests that start threads are. */
export const serialCudaTest = count > 0 ? test.serial : test.skip;

/** Whether somebody holds an allocation. */
export function isThere(id: number): boolean {
  try {
    cudaAddon().arrayInfo(id);
    return true;
  } catch {
    return false;
  }
}

/** Asserts that two tensors, wherever they live, have the same bits. */
export function sameBits(
  t: ExecutionContext,
  actual: AnyTensor,
  expected: AnyTensor,
  what: string,
): void {
  t.is(actual.dtype, expected.dtype, what);
  t.deepEqual(actual.shape, expected.shape, what);
  const [a, b] = [onHost(arrayOf(actual)), onHost(arrayOf(expected))];
  const at = firstDifference(a, b, expected.dtype);
  if (at >= 0) t.fail(`${what}: element ${at} is ${a[at]}, not ${b[at]}`);
  else t.pass();
}
