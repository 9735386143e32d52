import { kernels, nativeMissingReason } from '../native/kernels.js';
import type { TensorData } from './core/dtypes.js';
import { KVStoreError, show } from './core/errors.js';
import { Tensor, type AnyTensor } from './core/tensor.js';

/**
 * A typed array over the same bytes whose `buffer` is a plain `ArrayBuffer`, for libraries that
 * refuse shared memory. Writes are seen on both sides. Throws `native_unavailable` without the addon,
 * `bad_argument`.
 */
export function unsharedView<Data extends TensorData>(source: Tensor<Data>): Data;
export function unsharedView<View extends TensorData>(source: View): View;
export function unsharedView(source: AnyTensor | TensorData): TensorData {
  if (kernels.name !== 'native') {
    throw new KVStoreError(
      'native_unavailable',
      `unsharedView expected the native addon, which is missing: ${nativeMissingReason ?? 'switched off'}`,
    );
  }
  const data: unknown = source instanceof Tensor ? source.data : source;
  if (!ArrayBuffer.isView(data) || data instanceof DataView) {
    const message = `unsharedView expected a tensor or a typed array, got ${show(data)}`;
    throw new KVStoreError('bad_argument', message);
  }
  return kernels.unsharedView(data as TensorData);
}
