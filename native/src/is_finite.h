#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// Whether no element of `source` is a NaN or an infinity. Integers never are.
template <typename T>
bool IsFinite(const void* source, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
