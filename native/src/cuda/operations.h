#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../dtype.h"

// What the GPU is asked to do, before it becomes launches of kernels. native/cuda/operations.ts has
// the same codes.
namespace tensorkv::cuda {

enum class Code : uint8_t {
  kSum = 1,         // outs[*] = inputs[0] + inputs[1] + ..., in that order; one input: a copy
  kStep,            // one step of an update rule, see step.h; outs[*] = the new weights
  kCast,            // outs[0] of `to` = inputs[0] of `dtype`
  kFill,            // outs[0] = the element with the bits `scalar.bits`
  kAddScaled,       // outs[0] = inputs[0] + scalar * inputs[1]
  kMultiply,        // outs[0] = inputs[0] * inputs[1]
  kAddNumber,       // outs[0] = inputs[0] + scalar
  kMultiplyNumber,  // outs[0] = inputs[0] * scalar
  kEncode,          // inputs[0]: gradient; outs[0]: residual, also read; outs[1]: codes
  kDecode,          // inputs[0]: codes; outs[0]: values
  kQuantize,        // inputs: gradient, residual; outs: what is left, values
  kSumRows,  // row i of outs[0] = the sum of its pieces; inputs[*]: rows; rows: the table of pieces
  kGatherRows,   // row i of outs[0] = row rows[i] of inputs[0], zeros for -1
  kScatterRows,  // row rows[i] of outs[0] = row i of inputs[0]
  kSquares,      // outs[0], a float64 = the sum of the squares of the sum of the inputs
  kIsFinite,     // outs[0], an int32 = 1 where all of inputs[0] is finite, else 0
};

// Hyper-parameters of a step, the common ones among them: no rule has more.
constexpr size_t kMostHyper = 32;

constexpr bool IsHalf(Dtype dtype) { return dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16; }
// What a dtype is computed in.
constexpr Dtype ComputedIn(Dtype dtype) { return IsHalf(dtype) ? Dtype::kFloat32 : dtype; }

// A range of device memory. Address 0: there is none.
struct Operand {
  uint64_t address = 0;
  size_t bytes = 0;
};

// A number that an operation takes: as a double, and exactly for int64.
struct Scalar {
  double number = 0;
  int64_t bits = 0;
};

struct Operation {
  Code code;
  Dtype dtype;
  Dtype to = Dtype::kFloat32;  // kCast
  // Elements of an input; of kSumRows, kGatherRows and kScatterRows how many rows are made or
  // moved.
  size_t length = 0;
  std::vector<Operand> inputs;
  std::vector<Operand> outs;
  // kStep, as in StepArguments of step.h; `rows` holds int64 ids of rows, `row_length` counts
  // elements.
  size_t rule = 0;
  Operand stored, master, scratch, average;
  std::vector<Operand> slots;
  std::vector<double> hyper;
  // kStep, kSumRows, kGatherRows, kScatterRows. kSumRows: int64 words on the device, `length` + 1
  // starts, then two words a piece: which input, which row of it. Pieces of row i are start[i] to
  // start[i + 1].
  Operand rows;
  size_t row_length = 0;  // elements; of kGatherRows and kScatterRows bytes
  Scalar scalar;
  // kEncode, kDecode, kQuantize.
  bool two_bit = false;
  float threshold = 0;
};

}  // namespace tensorkv::cuda
