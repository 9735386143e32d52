import { dtypeInfo, isHalf, type DType, type NumberData, type TensorData } from './dtypes.js';
import { codecOf } from './elements.js';

/**
 * Arithmetic of tensors outside the store, element by element. Each result is computed in double
 * precision and rounded once to the dtype of `out`; integers wrap around, products of integers
 * exactly.
 */

/** A number, or a bigint for int64 tensors alone. */
export type Scalar = number | bigint;

/** `out[i] = a[i] + scale * b[i]`. `out` may be `a` or `b`. All are of `dtype`. */
export function addScaled(
  dtype: DType,
  [a, b]: readonly [TensorData, TensorData],
  scale: Scalar,
  out: TensorData,
): void {
  if (out instanceof BigInt64Array) {
    const [x, y, by] = [a as BigInt64Array, b as BigInt64Array, BigInt(scale)];
    for (let i = 0; i < out.length; i++) out[i] = x[i]! + by * y[i]!;
  } else if (isHalf(dtype)) {
    const { get, set } = codecOf(dtype);
    for (let i = 0; i < out.length; i++) set(out, i, get(a, i) + Number(scale) * get(b, i));
  } else if (wraps(dtype, scale)) {
    const [x, y, by] = [a as NumberData, b as NumberData, Number(scale)];
    for (let i = 0; i < out.length; i++) out[i] = x[i]! + Math.imul(y[i]!, by);
  } else {
    const [x, y, by] = [a as NumberData, b as NumberData, Number(scale)];
    for (let i = 0; i < out.length; i++) out[i] = x[i]! + by * y[i]!;
  }
}

/** `out[i] = a[i] + x`. `out` may be `a`. */
export function addNumber(dtype: DType, a: TensorData, x: Scalar, out: TensorData): void {
  if (out instanceof BigInt64Array) {
    const [from, more] = [a as BigInt64Array, BigInt(x)];
    for (let i = 0; i < out.length; i++) out[i] = from[i]! + more;
  } else if (isHalf(dtype)) {
    const { get, set } = codecOf(dtype);
    for (let i = 0; i < out.length; i++) set(out, i, get(a, i) + Number(x));
  } else {
    const [from, more] = [a as NumberData, Number(x)];
    for (let i = 0; i < out.length; i++) out[i] = from[i]! + more;
  }
}

/** `out[i] = a[i] * b[i]`. `out` may be `a` or `b`. All are of `dtype`. */
export function multiply(
  dtype: DType,
  [a, b]: readonly [TensorData, TensorData],
  out: TensorData,
): void {
  if (out instanceof BigInt64Array) {
    const [x, y] = [a as BigInt64Array, b as BigInt64Array];
    for (let i = 0; i < out.length; i++) out[i] = x[i]! * y[i]!;
  } else if (isHalf(dtype)) {
    const { get, set } = codecOf(dtype);
    for (let i = 0; i < out.length; i++) set(out, i, get(a, i) * get(b, i));
  } else if (wraps(dtype)) {
    const [x, y] = [a as NumberData, b as NumberData];
    for (let i = 0; i < out.length; i++) out[i] = Math.imul(x[i]!, y[i]!);
  } else {
    const [x, y] = [a as NumberData, b as NumberData];
    for (let i = 0; i < out.length; i++) out[i] = x[i]! * y[i]!;
  }
}

/** `out[i] = a[i] * x`. `out` may be `a`. */
export function multiplyNumber(dtype: DType, a: TensorData, x: Scalar, out: TensorData): void {
  if (out instanceof BigInt64Array) {
    const [from, by] = [a as BigInt64Array, BigInt(x)];
    for (let i = 0; i < out.length; i++) out[i] = from[i]! * by;
  } else if (isHalf(dtype)) {
    const { get, set } = codecOf(dtype);
    for (let i = 0; i < out.length; i++) set(out, i, get(a, i) * Number(x));
  } else if (wraps(dtype, x)) {
    const [from, by] = [a as NumberData, Number(x)];
    for (let i = 0; i < out.length; i++) out[i] = Math.imul(from[i]!, by);
  } else {
    const [from, by] = [a as NumberData, Number(x)];
    for (let i = 0; i < out.length; i++) out[i] = from[i]! * by;
  }
}

/** Every element becomes `x`, rounded or saturated as `Codec.set` does; a bigint wraps around. */
export function fillWith(dtype: DType, out: TensorData, x: Scalar): void {
  if (out instanceof BigInt64Array) return void out.fill(BigInt(x));
  const one = out.slice(0, 1);
  codecOf(dtype).set(one, 0, Number(x));
  out.fill(one[0] ?? 0);
}

/** Whether products with `factor` wrap around; doubles would lose their last bits beyond 2 ** 53. */
function wraps(dtype: DType, factor: Scalar = 1): boolean {
  return !dtypeInfo(dtype).floating && Number.isInteger(factor);
}
