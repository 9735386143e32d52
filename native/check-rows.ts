import assert from 'node:assert/strict';
import type { DType } from '../src/core/dtypes.js';
import { fromWords, highWord, lowWord, wordsOf } from '../src/core/int64.js';
import { isDisjoint, typeOf } from './checks.js';
import { resolveDtype } from './dtype-codes.js';
import type { AnyTypedArray, KernelFunctions, RowList } from './types.js';

type RowFunctions = Pick<
  KernelFunctions,
  'unionIds' | 'sumRows' | 'gatherRows' | 'scatterRows' | 'findRows'
>;

/** The kernels of rows behind checks of their contracts. */
export function checkedRows(functions: RowFunctions): RowFunctions {
  return {
    unionIds(lists, out) {
      checkUnionIds(lists, out);
      return functions.unionIds(lists, out);
    },
    sumRows(inputs, out, rowLength, said) {
      const dtype = checkSumRows(inputs, out, rowLength, said);
      functions.sumRows(inputs, out, rowLength, dtype);
    },
    gatherRows(source, positions, out, rowBytes) {
      checkGatherRows(source, positions, out, rowBytes);
      functions.gatherRows(source, positions, out, rowBytes);
    },
    scatterRows(source, positions, target, rowBytes) {
      checkScatterRows(source, positions, target, rowBytes);
      functions.scatterRows(source, positions, target, rowBytes);
    },
    findRows(table, present, ids, out) {
      checkFindRows(table, present, ids, out);
      return functions.findRows(table, present, ids, out);
    },
  };
}

/** Asserts the contract of `unionIds`, but for the order of the ids. */
function checkUnionIds(lists: readonly BigInt64Array[], out: BigInt64Array): void {
  assertIds(out);
  let total = 0;
  for (const ids of lists) {
    assertIds(ids);
    assert(isDisjoint(ids, out), 'a union overlaps none of its lists');
    total += ids.length;
  }
  assert(out.length >= total, 'a union has room for all ids of all lists');
}

/** Asserts the contract of `sumRows`, but for the order of the ids; gives the dtype. */
function checkSumRows(
  inputs: readonly RowList[],
  out: RowList,
  rowLength: number,
  said: DType | undefined,
): DType {
  assert(Number.isSafeInteger(rowLength) && rowLength >= 0, 'a row has a length');
  assertRows(out, rowLength);
  assert(isDisjoint(out.ids, out.rows), 'sums of rows overlap no other array');
  for (const input of inputs) {
    assertRows(input, rowLength);
    assert(typeOf(input.rows) === typeOf(out.rows), 'rows of one kernel call have one type');
    assert(isDisjoint(input.rows, out.rows), 'sums of rows overlap no other array');
    assert(isDisjoint(input.ids, out.rows), 'sums of rows overlap no other array');
  }
  return resolveDtype(out.rows, said);
}

/** Asserts the contract of `gatherRows`. */
function checkGatherRows(
  source: AnyTypedArray,
  positions: BigInt64Array,
  out: AnyTypedArray,
  rowBytes: number,
): void {
  checkMove(positions, out, source, rowBytes);
  assertPositions(positions, source.byteLength / rowBytes, -1);
}

/** Asserts the contract of `scatterRows`, but that positions are distinct. */
function checkScatterRows(
  source: AnyTypedArray,
  positions: BigInt64Array,
  target: AnyTypedArray,
  rowBytes: number,
): void {
  checkMove(positions, source, target, rowBytes);
  assertPositions(positions, target.byteLength / rowBytes, 0);
}

/** Asserts the contract of `findRows`, but that `RowIndex` made the table. */
function checkFindRows(
  table: Int32Array,
  present: BigInt64Array,
  ids: BigInt64Array,
  out: BigInt64Array,
): void {
  assert(typeOf(table) === 'Int32Array', 'a table of rows is an Int32Array');
  assert(Number.isInteger(Math.log2(table.length)), 'the length of a table is a power of two');
  for (const each of [present, ids, out]) assertIds(each);
  assert(table.length > present.length, 'a table has an empty place, where searches end');
  assert(out.length === ids.length, 'as many slots are found as ids are looked up');
  for (const each of [table, present, ids]) {
    assert(isDisjoint(each, out), 'the slots found overlap no other array');
  }
}

function assertIds(ids: BigInt64Array): void {
  assert(typeOf(ids) === 'BigInt64Array', 'ids and positions of rows are a BigInt64Array');
}

function assertRows({ ids, rows }: RowList, rowLength: number): void {
  assertIds(ids);
  assert(rows.length === ids.length * rowLength, 'there is one row an id');
}

/** `listed` has a row for each position, `other` rows to choose from. */
function checkMove(
  positions: BigInt64Array,
  listed: AnyTypedArray,
  other: AnyTypedArray,
  rowBytes: number,
): void {
  assertIds(positions);
  assert(Number.isSafeInteger(rowBytes) && rowBytes >= 0, 'a row has a number of bytes');
  assert(typeOf(listed) === typeOf(other), 'arrays of one kernel call have one type');
  assert(listed.byteLength === positions.length * rowBytes, 'there is one row a position');
  assert(isDisjoint(listed, other), 'rows move between arrays that do not overlap');
  assert(isDisjoint(positions, listed), 'rows do not overlap their positions');
  assert(isDisjoint(positions, other), 'rows do not overlap their positions');
}

/** Each position is at least `least` (0 or -1) and below `rowCount`. */
function assertPositions(positions: BigInt64Array, rowCount: number, least: number): void {
  // No bytes in no rows is 0 / 0: whatever the positions, nothing moves.
  if (Number.isNaN(rowCount)) return;
  const words = wordsOf(positions);
  for (let i = 0; i < words.length; i += 2) {
    const position = fromWords(words[i + lowWord]!, words[i + highWord]!);
    const isRow = position >= least && position <= rowCount - 1;
    // Only then, for a call costs more than the comparison.
    if (!isRow) assert.fail('a position is that of a row');
  }
}
