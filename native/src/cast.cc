#include "cast.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The smallest and largest values of each integer type.
template <typename T>
constexpr T kLargest =
    static_cast<T>(std::is_signed_v<T> ? ~(uint64_t{1} << (8 * sizeof(T) - 1)) &
                                             (~uint64_t{0} >> (64 - 8 * sizeof(T)))
                                       : ~uint64_t{0} >> (64 - 8 * sizeof(T)));
template <typename T>
constexpr T kSmallest = std::is_signed_v<T> ? static_cast<T>(-kLargest<T> - 1) : T{0};

// The largest value of float type F that integer type T can hold.
template <typename T, typename F>
constexpr F kLargestIn = static_cast<F>(kLargest<T>);
template <>
constexpr float kLargestIn<int32_t, float> = 2147483520.0f;
template <>
constexpr float kLargestIn<int64_t, float> = 9223371487098961920.0f;
template <>
constexpr double kLargestIn<int64_t, double> = 9223372036854774784.0;

// Clamped before the conversion, which is undefined outside of the integer's range.
template <typename To, typename From>
inline To Truncate(From x) {
  const bool above = x > kLargestIn<To, From>;
  From clamped = above ? kLargestIn<To, From> : x;
  clamped = clamped < static_cast<From>(kSmallest<To>) ? static_cast<From>(kSmallest<To>) : clamped;
  clamped = clamped == clamped ? clamped : From{0};  // NOLINT(misc-redundant-expression): NaN
  const To truncated = static_cast<To>(clamped);
  return above ? kLargest<To> : truncated;
}

template <typename To, typename From>
inline To Saturate(From x) {
  if constexpr (sizeof(To) < sizeof(From)) {
    return x > From{kLargest<To>}    ? kLargest<To>
           : x < From{kSmallest<To>} ? kSmallest<To>
                                     : static_cast<To>(x);
  } else if constexpr (std::is_unsigned_v<To> && std::is_signed_v<From>) {
    return x < 0 ? To{0} : static_cast<To>(x);
  } else if constexpr (sizeof(To) == sizeof(From)) {  // int8 from uint8
    return x > static_cast<From>(kLargest<To>) ? kLargest<To> : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <typename To, typename From>
inline To Convert(From x) {
  if constexpr (kIsHalf<From>) {
    return Convert<To>(Widen(x));
  } else if constexpr (kIsHalf<To>) {
    To out;
    if constexpr (std::is_same_v<From, float> || sizeof(From) == 1) {
      Narrow(static_cast<float>(x), out);
    } else {
      NarrowDouble(static_cast<double>(x), out);
    }
    return out;
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(static_cast<std::conditional_t<sizeof(From) == 8, double, From>>(x));
  } else if constexpr (std::is_floating_point_v<From>) {
    return Truncate<To>(x);
  } else {
    return Saturate<To>(x);
  }
}

}  // namespace

template <typename From, typename To>
void Cast(const void* source, void* out, size_t length) {
  const From* const from = static_cast<const From*>(source);
  To* const to = static_cast<To*>(out);
  if constexpr (std::is_same_v<From, To>) {
    if (out != source && length > 0) memcpy(out, source, length * sizeof(To));
  } else if constexpr (kIsHalf<From> && std::is_same_v<To, float>) {
    WidenAll(from, to, length);
  } else if constexpr (kIsHalf<To> && std::is_same_v<From, float>) {
    NarrowAll(from, to, length);
  } else {
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) to[i] = Convert<To>(from[i]);
  }
}

#define TENSORKV_CAST_FROM(From)                                  \
  template void Cast<From, float>(const void*, void*, size_t);    \
  template void Cast<From, double>(const void*, void*, size_t);   \
  template void Cast<From, Half>(const void*, void*, size_t);     \
  template void Cast<From, Bfloat16>(const void*, void*, size_t); \
  template void Cast<From, int8_t>(const void*, void*, size_t);   \
  template void Cast<From, uint8_t>(const void*, void*, size_t);  \
  template void Cast<From, int32_t>(const void*, void*, size_t);  \
  template void Cast<From, int64_t>(const void*, void*, size_t);

TENSORKV_CAST_FROM(float)
TENSORKV_CAST_FROM(double)
TENSORKV_CAST_FROM(Half)
TENSORKV_CAST_FROM(Bfloat16)
TENSORKV_CAST_FROM(int8_t)
TENSORKV_CAST_FROM(uint8_t)
TENSORKV_CAST_FROM(int32_t)
TENSORKV_CAST_FROM(int64_t)

}  // namespace tensorkv::TENSORKV_LEVEL
