#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// Whether two tensors of `bytes` bytes share some of them without being the same.
inline bool SharesBytes(const void* a, const void* b, size_t bytes) {
  const uintptr_t apart = reinterpret_cast<uintptr_t>(a) - reinterpret_cast<uintptr_t>(b);
  // Distances from -(bytes - 1) to bytes - 1, without a branch.
  return static_cast<bool>((apart != 0) & (bytes != 0) & (apart + bytes - 1 < 2 * bytes - 1));
}

}  // namespace tensorkv
