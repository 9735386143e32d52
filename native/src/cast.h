#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// out[i] = source[i] as a To. A float becomes an integer truncated toward zero and saturated, NaN
// gives 0; an integer becomes a narrower one saturated; to a narrower float is rounded to nearest,
// ties to even, int64 by way of double. Equal types are copied bit by bit. `source` and `out` are
// disjoint or, when the types are equal, the very same array.
template <typename From, typename To>
void Cast(const void* source, void* out, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
