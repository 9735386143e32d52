#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "level.h"

// The sum that reduce_sum.cc and sgd_step.cc share. Internal linkage: see level.h.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// As many arrays as one loop adds in registers: more streams than this gain nothing measurable.
constexpr size_t kGroup = 8;

inline float Add(float a, float b) { return a + b; }
inline double Add(double a, double b) { return a + b; }
// Through unsigned: int32 wraps around, and signed overflow is undefined.
inline int32_t Add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// out[i] = arrays[0][i] + arrays[1][i] + ..., K = 1, 2, ... spelt out so that the sum stays in a
// register.
template <typename T, size_t... K>
void SumArrays(const T* const* arrays, T* out, size_t length, std::index_sequence<K...>) {
  const T* const first = arrays[0];
  [[maybe_unused]] const T* const others[] = {arrays[K + 1]..., nullptr};
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) {
    T sum = first[i];
    ((sum = Add(sum, others[K][i])), ...);
    out[i] = sum;
  }
}

// The same for a count known at run time, 1 to kGroup.
template <typename T>
void SumGroup(const T* const* arrays, size_t count, T* out, size_t length) {
  switch (count) {
    case 1:
      return SumArrays(arrays, out, length, std::make_index_sequence<0>());
    case 2:
      return SumArrays(arrays, out, length, std::make_index_sequence<1>());
    case 3:
      return SumArrays(arrays, out, length, std::make_index_sequence<2>());
    case 4:
      return SumArrays(arrays, out, length, std::make_index_sequence<3>());
    case 5:
      return SumArrays(arrays, out, length, std::make_index_sequence<4>());
    case 6:
      return SumArrays(arrays, out, length, std::make_index_sequence<5>());
    case 7:
      return SumArrays(arrays, out, length, std::make_index_sequence<6>());
    default:
      return SumArrays(arrays, out, length, std::make_index_sequence<7>());
  }
}

// out[i] = the sum of inputs[k][begin + i] in list order, for i < length. More than kGroup inputs
// need `tile`, room for `length` elements that is none of the inputs; `out` may be `tile`. `out` is
// written after the last input is read, so it may be any input at the same position.
template <typename T>
void SumRange(const void* const* inputs, size_t count, size_t begin, T* out, size_t length,
              T* tile) {
  const T* group[kGroup];
  size_t used = 0;
  for (size_t k = 0; k < count; ++k) {
    if (used == kGroup) {
      SumGroup(group, used, tile, length);
      group[0] = tile;
      used = 1;
    }
    group[used++] = static_cast<const T*>(inputs[k]) + begin;
  }
  SumGroup(group, used, out, length);
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
