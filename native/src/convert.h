#pragma once

#include <cstdint>
#include <type_traits>

#include "element.h"

// Elements of one type from those of another; cast.h has the rules.
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
TENSORKV_EACH inline To Truncate(From x) {
  constexpr From most = kLargestIn<To, From>, least = static_cast<From>(kSmallest<To>);
  constexpr To largest = kLargest<To>;
  const bool above = x > most;
  From clamped = above ? most : x;
  clamped = clamped < least ? least : clamped;
  clamped = clamped == clamped ? clamped : From{0};  // NOLINT(misc-redundant-expression): NaN
  const To truncated = static_cast<To>(clamped);
  return above ? largest : truncated;
}

template <typename To, typename From>
TENSORKV_EACH inline To Saturate(From x) {
  constexpr To largest = kLargest<To>, smallest = kSmallest<To>;
  if constexpr (sizeof(To) < sizeof(From)) {
    return x > From{largest} ? largest : x < From{smallest} ? smallest : static_cast<To>(x);
  } else if constexpr (std::is_unsigned_v<To> && std::is_signed_v<From>) {
    return x < 0 ? To{0} : static_cast<To>(x);
  } else if constexpr (sizeof(To) == sizeof(From)) {  // int8 from uint8
    return x > static_cast<From>(largest) ? largest : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <typename To, typename From>
TENSORKV_EACH inline To Convert(From x) {
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
}  // namespace tensorkv::TENSORKV_LEVEL
