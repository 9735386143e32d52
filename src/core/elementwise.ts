import type { TensorData } from './dtypes.js';

/**
 * Arithmetic of tensors outside the store, element by element. Each result is computed in double
 * precision and rounded once to the dtype of `out`; integers wrap around.
 */

/** `out[i] = a[i] + scale * b[i]`. `out` may be `a` or `b`. */
export function addScaled(a: TensorData, b: TensorData, scale: number, out: TensorData): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + scale * b[i]!;
}

/** `out[i] = a[i] + x`. `out` may be `a`. */
export function addNumber(a: TensorData, x: number, out: TensorData): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + x;
}

/** `out[i] = a[i] * b[i]`. `out` may be `a` or `b`. */
export function multiply(a: TensorData, b: TensorData, out: TensorData): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! * b[i]!;
}

/** `out[i] = a[i] * x`. `out` may be `a`. */
export function multiplyNumber(a: TensorData, x: number, out: TensorData): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! * x;
}
