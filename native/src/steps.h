#pragma once

#include <cstddef>

#include "level.h"
#include "step.h"

namespace tensorkv::TENSORKV_LEVEL {

// Every update rule, in the order of their names.
extern const StepKernel kSteps[];
extern const size_t kStepCount;

}  // namespace tensorkv::TENSORKV_LEVEL
