#pragma once

#include <cstddef>

#include "level.h"
#include "step.h"

namespace tensorkv::TENSORKV_LEVEL {

// The sum of the squares of inputs[0] + inputs[1] + ..., see squares.h.
template <typename T>
double SquaresOfSum(const void* const* inputs, size_t count, size_t length);

// Every update rule, in the order of their names.
extern const StepKernel kSteps[];
extern const size_t kStepCount;

}  // namespace tensorkv::TENSORKV_LEVEL
