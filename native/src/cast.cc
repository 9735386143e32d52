#include "cast.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The largest value of a float type that an int32 can hold.
template <typename T>
constexpr T kLargestInt32 = 2147483647;
template <>
constexpr float kLargestInt32<float> = 2147483520;

template <typename To, typename From>
inline To Convert(From x) {
  if constexpr (std::is_same_v<To, int32_t> && std::is_floating_point_v<From>) {
    // Clamped before the conversion, which is undefined outside of the int32 range.
    const bool above = x > kLargestInt32<From>;
    From clamped = above ? kLargestInt32<From> : x;
    clamped = clamped < From{INT32_MIN} ? From{INT32_MIN} : clamped;
    clamped = clamped == clamped ? clamped : From{0};
    const int32_t truncated = static_cast<int32_t>(clamped);
    return above ? INT32_MAX : truncated;
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace

template <typename From, typename To>
void Cast(const void* source, void* out, size_t length) {
  if constexpr (std::is_same_v<From, To>) {
    if (out != source && length > 0) memcpy(out, source, length * sizeof(To));
  } else {
    const From* const from = static_cast<const From*>(source);
    To* const to = static_cast<To*>(out);
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) to[i] = Convert<To>(from[i]);
  }
}

#define TENSORKV_CAST_FROM(From)                                \
  template void Cast<From, float>(const void*, void*, size_t);  \
  template void Cast<From, double>(const void*, void*, size_t); \
  template void Cast<From, int32_t>(const void*, void*, size_t);

TENSORKV_CAST_FROM(float)
TENSORKV_CAST_FROM(double)
TENSORKV_CAST_FROM(int32_t)

}  // namespace tensorkv::TENSORKV_LEVEL
