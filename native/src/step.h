#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// One update of a tensor of one dtype T, fused with the sum of its inputs. C is float for the half
// types, else T. src/core/optimizers has the meaning of each rule.
struct StepArguments {
  const void* const* inputs;  // arrays of T
  size_t count;
  void* stored;        // T: w; written only when there is a master
  void* master;        // C: w of a half type, or null
  void* const* slots;  // arrays of C
  void* scratch;       // C: as much as the rule asks for
  void* average;       // C: the moving average of w, or null
  // The inputs hold only these rows of w, in this order; null: all of it.
  const int64_t* rows;
  size_t row_length;  // elements
  // rescale, clip, decay, ema, then the rule's own.
  const double* hyper;
  size_t length;  // elements of an input
};

constexpr size_t kCommonHyper = 4;

// An update rule; null where it has no meaning for a dtype.
struct StepKernel {
  const char* name;
  void (*run[8])(const StepArguments& arguments);
  // Whether each element is updated by itself, wherever it stands: then parts of a tensor may be
  // updated one by one, by several threads.
  bool splits;
  // How many slots it has, each as long as w; kWhole for a rule that needs the whole tensor: there
  // JavaScript alone knows.
  size_t slots;
};

constexpr size_t kWhole = SIZE_MAX;

}  // namespace tensorkv
