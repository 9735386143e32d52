import { isHalf } from './dtypes.js';
import { onHost } from './elements.js';
import { KVStoreError, show } from './errors.js';
import { setNumbers, toNumbers } from './int64.js';
import { allocate } from './memory.js';
import { arrayOf, Tensor, type AnyTensor } from './tensor.js';

/** Row ids as callers give them: one, a typed array, a tensor, or arrays of these to any depth. */
export type RowIds = number | bigint | ArrayBufferView | AnyTensor | readonly RowIds[];

/**
 * The unique ids of `ids`, ascending, on shared memory. They come in any order, any shape and any
 * type, duplicates included; none at all is legal. Throws `row_id_out_of_range` for what is no whole
 * number from 0 up to `rowCount`, `bad_argument` for what is no number.
 */
export function rowIdList(ids: unknown, rowCount: number): BigInt64Array {
  const numbers = readRowIds(ids, rowCount);
  if (!isAscending(numbers)) numbers.sort();
  let count = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (i === 0 || numbers[i] !== numbers[i - 1]) numbers[count++] = numbers[i]!;
  }
  return sharedIds(numbers.subarray(0, count));
}

/** The ids in the order they come in, as a copy. Throws as `rowIdList` does. */
export function readRowIds(ids: unknown, rowCount: number): Float64Array {
  const numbers = numbersOf(ids);
  for (let i = 0; i < numbers.length; i++) {
    const id = numbers[i]!;
    if (id >= 0 && id < rowCount && Number.isInteger(id)) continue;
    throw new KVStoreError(
      'row_id_out_of_range',
      `expected row ids from 0 up to ${rowCount - 1}, got ${exactly(ids, i) ?? id}`,
    );
  }
  return numbers;
}

/** `ids` as 64-bit integers on shared memory. */
export function sharedIds(ids: Float64Array): BigInt64Array {
  const shared = allocate('int64', ids.length) as BigInt64Array;
  setNumbers(shared, ids);
  return shared;
}

/** Whether each number is above the one before. */
export function isAscending(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++) if (!(numbers[i]! > numbers[i - 1]!)) return false;
  return true;
}

function numbersOf(ids: unknown): Float64Array {
  if (ids instanceof Tensor) {
    return numbersOf(isHalf(ids.dtype) ? ids.toFloat32() : onHost(arrayOf(ids)));
  }
  if (ids instanceof BigInt64Array || ids instanceof BigUint64Array) return toNumbers(ids);
  if (ArrayBuffer.isView(ids) && !(ids instanceof DataView)) {
    return Float64Array.from(ids as Float64Array);
  }
  const numbers: number[] = [];
  collect(ids, numbers);
  return Float64Array.from(numbers);
}

function collect(ids: unknown, numbers: number[]): void {
  if (typeof ids === 'number' || typeof ids === 'bigint') {
    numbers.push(Number(ids));
  } else if (Array.isArray(ids)) {
    // Not forEach, which passes over holes.
    for (const each of ids as readonly unknown[]) collect(each, numbers);
  } else if (ArrayBuffer.isView(ids) && !(ids instanceof DataView)) {
    for (const number of numbersOf(ids)) numbers.push(number);
  } else if (ids instanceof Tensor) {
    for (const number of numbersOf(ids)) numbers.push(number);
  } else {
    throw new KVStoreError('bad_argument', `expected row ids, got ${show(ids)}`);
  }
}

/** Id i of a flat list as it was given: numbers do not tell the ids beyond 2 ** 53 apart. */
function exactly(ids: unknown, i: number): string | undefined {
  const data = ids instanceof Tensor ? onHost(arrayOf(ids)) : ids;
  const list = Array.isArray(data) || ArrayBuffer.isView(data) ? (data as ArrayLike<unknown>) : [];
  return typeof list[i] === 'bigint' ? String(list[i]) : undefined;
}
