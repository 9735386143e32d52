/**
 * Operations as the words of `AddonCuda.run`; native/src/cuda/operations.h explains them. An operand is
 * two words: id and byteOffset; id 0 stands for none. An operation is
 *
 *     code, dtype, to, length, rule, rowLength, twoBit, threshold,
 *     scalar as a number, its low word (unsigned), its high word (signed),
 *     how many inputs, outs, slots, hyper-parameters,
 *     operands: stored, master, scratch, average, rows, the inputs, the outs, the slots,
 *     the hyper-parameters
 *
 * Lengths are checked in C++ against the allocations.
 */
export const operationCodes = {
  sum: 1,
  step: 2,
  cast: 3,
  fill: 4,
  addScaled: 5,
  multiply: 6,
  addNumber: 7,
  multiplyNumber: 8,
  encode: 9,
  decode: 10,
  quantize: 11,
  sumRows: 12,
  gatherRows: 13,
  scatterRows: 14,
  squares: 15,
  isFinite: 16,
} as const;
