import assert from 'node:assert/strict';
import { computeDtype, dtypeInfo, holds, type DType } from '../src/core/dtypes.js';
import { toNumbers } from '../src/core/int64.js';
import type { FloatData } from '../src/core/optimizers/kernel.js';
import { commonHyper, scratchLength, stepKernelNamed } from '../src/core/optimizers/kernels.js';
import { sizeOf } from '../src/core/shape.js';
import { checkMany, isDisjoint, typeOf } from './checks.js';
import type { AnyTypedArray, DenseArray, StepArguments } from './types.js';

/** Asserts the contract of `step`. */
export function checkStep(rule: string, args: StepArguments): void {
  const { dtype, shape, inputs, stored, slots, hyper, rows, scratch } = args;
  const kernel = stepKernelNamed(rule);
  assert(dtypeInfo(dtype).floating, 'there are no update rules for this dtype');
  assert(holds(dtype, stored), 'the stored tensor is not of this dtype');
  assert(stored.length === sizeOf(shape), 'the stored tensor has the size of its shape');
  assert(inputs.length > 0, 'a step has at least one input');
  if (rows === undefined) checkMany(inputs, stored);
  else checkRows(args);
  assert(slots.length === kernel.slots, 'a step has as many slots as its rule');
  for (const slot of slots) assertCompute(args, slot);
  if (!kernel.whole) for (const slot of slots) assertLength(slot, stored);
  assert(typeOf(hyper) === 'Float64Array', 'hyper-parameters are a Float64Array');
  assert(hyper.length >= commonHyper, 'a step has its common hyper-parameters');
  for (const each of [args.master, args.average]) {
    if (each === undefined) continue;
    assertCompute(args, each);
    assertLength(each, stored);
  }
  const widens = computeDtype(dtype) !== dtype;
  assert(widens || args.master === undefined, 'only half types have masters');
  const needed = scratchLength(kernel, shape, widens && args.master === undefined);
  assert((scratch?.length ?? 0) >= needed, 'a step has enough scratch');
  if (scratch !== undefined) assertCompute(args, scratch);
  assertApart([stored, ...slots, args.master, args.average, scratch]);
}

/** Asserts the contract of `squares`. */
export function checkSquares(inputs: readonly DenseArray[], dtype: DType): void {
  assert(dtypeInfo(dtype).floating, 'there are no squares of this dtype');
  assert(inputs.length > 0, 'a sum has at least one input');
  for (const input of inputs) {
    assert(holds(dtype, input), 'inputs are of the dtype');
    assert(input.length === inputs[0]!.length, 'arrays of one kernel call have one length');
  }
}

function checkRows({ inputs, stored, shape, rows }: StepArguments): void {
  assert(typeOf(rows!) === 'BigInt64Array', 'rows are a BigInt64Array');
  const rowLength = sizeOf(shape.slice(1));
  for (const input of inputs) {
    assert(typeOf(input) === typeOf(stored), 'arrays of one kernel call have one type');
    assert(input.length === rows!.length * rowLength, 'inputs hold the rows');
    assert(isDisjoint(input, stored), 'inputs of rows must not overlap the stored tensor');
  }
  for (const row of toNumbers(rows!)) {
    assert(row >= 0 && row < (shape[0] ?? 0), 'rows are rows of the tensor');
  }
}

function assertCompute({ dtype }: StepArguments, array: FloatData): void {
  assert(holds(computeDtype(dtype), array), 'slots, masters and scratch are of the computed type');
}

function assertLength(array: FloatData, stored: AnyTypedArray): void {
  assert(array.length === stored.length, 'arrays of one kernel call have one length');
}

function assertApart(arrays: readonly (AnyTypedArray | undefined)[]): void {
  const present = arrays.filter((array) => array !== undefined);
  present.forEach((array, i) => {
    for (const other of present.slice(i + 1)) {
      assert(isDisjoint(array, other), 'stored, slots, masters and scratch must not overlap');
    }
  });
}
