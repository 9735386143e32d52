#pragma once

#include <cstddef>

#include "operations.h"

namespace tensorkv::cuda {

// The rules of steps.h, by what a plan has to know of them.
enum class Rule : uint8_t {
  kElements,
  kAdafactorMatrix,
  kAdafactorVector,
  kGroupAdagrad,
  kLamb,
  kLans,
  kLars,
  kMuon,
};

Rule RuleOf(size_t rule);
// "tensorkv_step_NAME_DTYPE": of a rule of the whole tensor the last of its kernels.
const char* StepKernelOf(size_t rule, Dtype dtype);

}  // namespace tensorkv::cuda
