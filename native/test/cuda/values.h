#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "../arrays.h"
#include "cuda/operations.h"
#include "dtype.h"

namespace tensorkv::test {

constexpr size_t kElementBytes[kDtypeCount] = {4, 8, 2, 2, 1, 1, 4, 8};

inline size_t ElementBytes(Dtype dtype) { return kElementBytes[static_cast<size_t>(dtype)]; }
inline bool IsFloat(Dtype dtype) { return static_cast<size_t>(dtype) < 4; }
inline Dtype ComputedDtype(Dtype dtype) {
  return dtype == Dtype::kFloat64 ? Dtype::kFloat64 : Dtype::kFloat32;
}

// Whether the bits at `p` stand for a NaN.
inline bool IsNan(Dtype dtype, const uint8_t* p) {
  uint64_t bits = 0;
  std::memcpy(&bits, p, ElementBytes(dtype));
  switch (dtype) {
    case Dtype::kFloat32:
      return (bits & 0x7fffffff) > 0x7f800000;
    case Dtype::kFloat64:
      return (bits & 0x7fffffffffffffff) > 0x7ff0000000000000;
    case Dtype::kFloat16:
      return (bits & 0x7fff) > 0x7c00;
    case Dtype::kBfloat16:
      return (bits & 0x7fff) > 0x7f80;
    default:
      return false;
  }
}

// Elements of a dtype that end exactly where their allocation ends, `offset` elements behind a
// multiple of 16 bytes.
class Elements {
 public:
  Elements(Dtype dtype, size_t length, size_t offset = 0)
      : dtype_(dtype),
        length_(length),
        skipped_(offset * ElementBytes(dtype)),
        memory_(new uint8_t[skipped_ + length * ElementBytes(dtype)]()) {}
  Elements(const Elements& other) : Elements(other.dtype_, other.length_, other.offset()) {
    if (bytes() > 0) std::memcpy(data(), other.data(), bytes());
  }
  Elements& operator=(const Elements&) = delete;
  Elements(Elements&&) = default;

  // Any bits, and in floats often numbers of an ordinary size, or subnormal.
  Elements& Fill(Random& random) {
    for (size_t i = 0; i < length_; ++i) Set(i, RandomBits(random));
    return *this;
  }
  // Numbers between -1 and 1, or from 0 on.
  Elements& FillTame(Random& random, bool positive = false) {
    for (size_t i = 0; i < length_; ++i) {
      const uint64_t sign = positive ? 0 : random.Next() % 2;
      const uint64_t digits = uint64_t{random.Next()} << 20 | random.Next() % (1 << 20);
      switch (dtype_) {
        case Dtype::kFloat64:
          Set(i, sign << 63 | (uint64_t{1023 - 1 - random.Next() % 6} << 52) | (digits >> 0));
          break;
        case Dtype::kFloat32:
          Set(i, sign << 31 | (uint64_t{127 - 1 - random.Next() % 6} << 23) | (digits & 0x7fffff));
          break;
        case Dtype::kFloat16:
          Set(i, sign << 15 | (uint64_t{15 - 1 - random.Next() % 6} << 10) | (digits & 0x3ff));
          break;
        case Dtype::kBfloat16:
          Set(i, sign << 15 | (uint64_t{127 - 1 - random.Next() % 6} << 7) | (digits & 0x7f));
          break;
        default:
          Set(i, RandomBits(random));
      }
    }
    return *this;
  }

  void Set(size_t i, uint64_t bits) {
    std::memcpy(data() + i * ElementBytes(dtype_), &bits, ElementBytes(dtype_));
  }
  uint8_t* data() { return memory_.get() + skipped_; }
  const uint8_t* data() const { return memory_.get() + skipped_; }
  size_t length() const { return length_; }
  size_t bytes() const { return length_ * ElementBytes(dtype_); }
  size_t offset() const { return skipped_ / ElementBytes(dtype_); }
  Dtype dtype() const { return dtype_; }
  cuda::Operand operand() const { return {reinterpret_cast<uint64_t>(data()), bytes()}; }

  // Equal bits; any NaN equals any other.
  bool IsSame(const Elements& other) const {
    if (other.length_ != length_ || other.dtype_ != dtype_) return false;
    const size_t size = ElementBytes(dtype_);
    for (size_t i = 0; i < length_; ++i) {
      const uint8_t* const a = data() + i * size;
      const uint8_t* const b = other.data() + i * size;
      if (std::memcmp(a, b, size) != 0 && !(IsNan(dtype_, a) && IsNan(dtype_, b))) return false;
    }
    return true;
  }

 private:
  uint64_t RandomBits(Random& random) {
    const uint64_t bits = uint64_t{random.Next()} << 32 | random.Next();
    if (!IsFloat(dtype_)) return bits;
    constexpr uint64_t kOrdinary[4] = {0x3f000000, 0x3fe0000000000000, 0x3800, 0x3f00};
    constexpr uint64_t kSpecial[4][4] = {
        {0x7f800000, 0xff800000, 0x7fc00000, 1},
        {0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 1},
        {0x7c00, 0xfc00, 0x7e00, 1},
        {0x7f80, 0xff80, 0x7fc0, 1}};
    const auto type = static_cast<size_t>(dtype_);
    switch (random.Next() % 8) {
      case 0:
        return kSpecial[type][bits % 4];
      case 1:
        return bits;
      default:
        // An exponent near 0, and any sign and digits.
        const uint64_t size = ElementBytes(dtype_) * 8;
        const uint64_t digits = dtype_ == Dtype::kFloat64    ? 52
                                : dtype_ == Dtype::kFloat32  ? 23
                                : dtype_ == Dtype::kBfloat16 ? 7
                                                             : 10;
        const uint64_t mask = (uint64_t{1} << digits) - 1;
        const uint64_t exponent = kOrdinary[type] + (uint64_t{random.Next() % 4} << digits);
        return (exponent & ~mask) | (bits & mask) | (bits >> 63 << (size - 1));
    }
  }

  Dtype dtype_;
  size_t length_;
  size_t skipped_;
  std::unique_ptr<uint8_t[]> memory_;
};

}  // namespace tensorkv::test
