#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// out[i] = inputs[0][i] + inputs[1][i] + ..., added in list order, each addition rounded to T;
// integers wrap around. Half types are added in float and rounded once. At least one input; inputs
// may repeat. `out` is disjoint from every input or the very same array at the same position.
template <typename T>
void ReduceSum(const void* const* inputs, size_t count, void* out, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
