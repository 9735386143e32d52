#include "is_finite.h"

#include <cstdint>

#include "dtype.h"

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// Elements looked at before the first chance to stop: long enough for vector code.
constexpr size_t kTile = 4096;

// An exponent of ones, `exponent`, stands for a NaN or an infinity.
template <typename Bits, Bits exponent>
bool HasOnlyNumbers(const void* source, size_t length) {
  const Bits* const bits = static_cast<const Bits*>(source);
  for (size_t begin = 0; begin < length; begin += kTile) {
    const size_t end = length - begin < kTile ? length : begin + kTile;
    Bits strange = 0;
    for (size_t i = begin; i < end; ++i) {
      strange |= (bits[i] & exponent) == exponent ? Bits{1} : Bits{0};
    }
    if (strange != 0) return false;
  }
  return true;
}

}  // namespace

template <typename T>
bool IsFinite(const void*, size_t) {
  return true;
}

template <>
bool IsFinite<float>(const void* source, size_t length) {
  return HasOnlyNumbers<uint32_t, 0x7f800000>(source, length);
}

template <>
bool IsFinite<double>(const void* source, size_t length) {
  return HasOnlyNumbers<uint64_t, 0x7ff0000000000000>(source, length);
}

template <>
bool IsFinite<Half>(const void* source, size_t length) {
  return HasOnlyNumbers<uint16_t, 0x7c00>(source, length);
}

template <>
bool IsFinite<Bfloat16>(const void* source, size_t length) {
  return HasOnlyNumbers<uint16_t, 0x7f80>(source, length);
}

template bool IsFinite<int8_t>(const void*, size_t);
template bool IsFinite<uint8_t>(const void*, size_t);
template bool IsFinite<int32_t>(const void*, size_t);
template bool IsFinite<int64_t>(const void*, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
