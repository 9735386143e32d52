import { castElements } from '../../src/core/elements.js';
import { deviceCount } from '../../src/cuda.js';
import { cuda, tensor, type AnyTensor, type Device, type DType } from '../../src/index.js';
import { randoms, zeros as elements } from './floats.js';

/** CUDA devices that tests use, the only one twice if need be. */
export const count = deviceCount();
export const first: Device = cuda(0);
export const second: Device = cuda(count > 1 ? 1 : 0);

/** Random numbers of any magnitude as a tensor on the CPU. */
export function randomTensor(dtype: DType, shape: readonly number[], seed: number): AnyTensor {
  const length = shape.reduce((size, n) => size * n, 1);
  return tensor(randoms(length, seed, dtype), { dtype: dtype as 'float32', shape });
}

/** Numbers near 1 as a tensor on the CPU, for what has to stay finite. */
export function tameTensor(dtype: DType, shape: readonly number[], seed: number): AnyTensor {
  const length = shape.reduce((size, n) => size * n, 1);
  const numbers = randoms(length, seed, 'int32');
  const tame = Float64Array.from(numbers, (x) => (x % 1000) / 300);
  const data = elements(length, dtype);
  castElements(tame, 'float64', data, dtype);
  return tensor(data, { dtype: dtype as 'float32', shape });
}
