#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// out[i] = source[i] as a To. Float to int32 truncates toward zero and saturates, NaN gives 0; to a
// narrower float rounds to nearest, ties to even. Equal types are copied bit by bit. `source` and
// `out` are disjoint or, when the types are equal, the very same array.
template <typename From, typename To>
void Cast(const void* source, void* out, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
