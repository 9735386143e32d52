#pragma once

#include <cstddef>
#include <cstdint>

// Files that are compiled once a level call these: a copy each, see level.h.
namespace tensorkv {
namespace {

// Whether two tensors of `bytes` bytes share some of them without being the same.
inline bool SharesBytes(const void* a, const void* b, size_t bytes) {
  const uintptr_t apart = reinterpret_cast<uintptr_t>(a) - reinterpret_cast<uintptr_t>(b);
  // Distances from -(bytes - 1) to bytes - 1, without a branch.
  return static_cast<bool>((apart != 0) & (bytes != 0) & (apart + bytes - 1 < 2 * bytes - 1));
}

// Whether any two of `count` outs do.
inline bool ShareBytes(void* const* outs, size_t count, size_t bytes) {
  bool shares = false;
  for (size_t k = 0; k < count; ++k) {
    for (size_t j = 0; j < k; ++j) shares |= SharesBytes(outs[k], outs[j], bytes);
  }
  return shares;
}

}  // namespace
}  // namespace tensorkv
