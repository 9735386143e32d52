#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

namespace tensorkv::test {

// A small generator with the same numbers on every platform.
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

 private:
  uint32_t state_;
};

// Numbers of every magnitude, one in eight special: NaN, infinities, zeros, a denormal, the
// largest.
template <typename T>
T RandomValue(Random& random) {
  const uint32_t bits = random.Next();
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(bits);
  } else {
    using Limits = std::numeric_limits<T>;
    const T specials[] = {
        Limits::quiet_NaN(),  Limits::infinity(), -Limits::infinity(), T{0}, -T{0},
        Limits::denorm_min(), Limits::max(),      T{2147483648}};
    if (bits % 8 == 0) return specials[random.Next() % 8];
    return std::ldexp(static_cast<T>(static_cast<int32_t>(bits)),
                      static_cast<int>(random.Next() % 40) - 40);
  }
}

// `length` elements that end exactly where the allocation ends, and start `offset` elements behind
// its begin: a sanitizer sees the first byte too far.
template <typename T>
class Array {
 public:
  explicit Array(size_t length, size_t offset = 0, uint32_t seed = 1)
      : memory_(new T[offset + length]()), offset_(offset), length_(length) {
    Random random(seed);
    for (size_t i = 0; i < length; ++i) data()[i] = RandomValue<T>(random);
  }
  T* data() { return memory_.get() + offset_; }
  const T* data() const { return memory_.get() + offset_; }
  size_t size() const { return length_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }

 private:
  std::unique_ptr<T[]> memory_;
  size_t offset_;
  size_t length_;
};

// Equal bits; any NaN equals any other.
template <typename T>
bool IsSame(T a, T b) {
  if (a != a) return b != b;
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <typename T>
bool AreSame(const Array<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < b.size(); ++i)
    if (!IsSame(a[i], b[i])) return false;
  return true;
}

}  // namespace tensorkv::test
