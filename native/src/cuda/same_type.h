#pragma once

// For the checks of our own declarations of others' functions.
#include <type_traits>

namespace tensorkv::cuda {

template <typename T>
constexpr bool IsNumber = std::is_integral_v<T> || std::is_enum_v<T>;

// Whether a caller who knows one type may pass it where the other is asked for.
template <typename Ours, typename Theirs>
constexpr bool Agrees() {
  using A = std::remove_cv_t<Ours>;
  using B = std::remove_cv_t<Theirs>;
  if constexpr (std::is_same_v<A, B>) {
    return true;
  } else if constexpr (std::is_pointer_v<A> && std::is_pointer_v<B>) {
    return Agrees<std::remove_pointer_t<A>, std::remove_pointer_t<B>>();
  } else if constexpr (std::is_function_v<A> && std::is_function_v<B>) {
    return sizeof(A*) == sizeof(B*);  // StreamCallback, checked by itself.
  } else if constexpr (IsNumber<A> && IsNumber<B>) {
    return sizeof(A) == sizeof(B);
  } else if constexpr (std::is_class_v<A> && std::is_class_v<B>) {
    return sizeof(A) == sizeof(B);
  } else {
    return false;
  }
}

template <typename Ours, typename Theirs>
struct Same;
template <typename R, typename... A, typename S, typename... B>
struct Same<R (*)(A...), S (*)(B...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(A) != sizeof...(B)) {
      return false;
    } else {
      return Agrees<R, S>() && (Agrees<A, B>() && ...);
    }
  }();
};

}  // namespace tensorkv::cuda
