import { DeviceArray, type Elements } from './device-array.js';
import { deviceBackend } from './device-backend.js';
import type { DType, TensorData } from './dtypes.js';
import * as elementwise from './elementwise.js';
import type { Scalar } from './elementwise.js';

/** What elementwise.ts does, wherever the arrays live; the work is done where `out` lives. */

/** `out[i] = a[i] + scale * b[i]`. */
export function addScaled(
  dtype: DType,
  inputs: readonly [Elements, Elements],
  scale: Scalar,
  out: Elements,
): void {
  if (areHere(inputs) && isHere(out)) return elementwise.addScaled(dtype, inputs, scale, out);
  deviceBackend().addScaled(dtype, inputs, scale, out);
}

/** `out[i] = a[i] + x`. */
export function addNumber(dtype: DType, a: Elements, x: Scalar, out: Elements): void {
  if (isHere(a) && isHere(out)) return elementwise.addNumber(dtype, a, x, out);
  deviceBackend().addNumber(dtype, a, x, out);
}

/** `out[i] = a[i] * b[i]`. */
export function multiply(dtype: DType, inputs: readonly [Elements, Elements], out: Elements): void {
  if (areHere(inputs) && isHere(out)) return elementwise.multiply(dtype, inputs, out);
  deviceBackend().multiply(dtype, inputs, out);
}

/** `out[i] = a[i] * x`. */
export function multiplyNumber(dtype: DType, a: Elements, x: Scalar, out: Elements): void {
  if (isHere(a) && isHere(out)) return elementwise.multiplyNumber(dtype, a, x, out);
  deviceBackend().multiplyNumber(dtype, a, x, out);
}

/** Every element becomes `x`. */
export function fillWith(dtype: DType, out: Elements, x: Scalar): void {
  if (isHere(out)) return elementwise.fillWith(dtype, out, x);
  deviceBackend().fill(dtype, out, x);
}

function isHere(elements: Elements): elements is TensorData {
  return !(elements instanceof DeviceArray);
}

function areHere(
  inputs: readonly [Elements, Elements],
): inputs is readonly [TensorData, TensorData] {
  return isHere(inputs[0]) && isHere(inputs[1]);
}
