#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// Copies `bytes` bytes of `source` to every out, reading `source` from memory once. Each out is
// disjoint from `source` or the very same array.
void Copy(const void* source, void* const* outs, size_t count, size_t bytes);

}  // namespace tensorkv::TENSORKV_LEVEL
