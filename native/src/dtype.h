#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// Element types that kernels compute with. Tables are indexed by it: a new one goes last.
enum class Dtype : uint8_t { kFloat32, kFloat64, kInt32 };

constexpr size_t kDtypeCount = 3;

}  // namespace tensorkv
