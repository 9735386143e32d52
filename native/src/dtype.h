#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// Element types that kernels compute with. native/dtype-codes.ts has the same order.
enum class Dtype : uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBfloat16,
  kInt8,
  kUint8,
  kInt32,
  kInt64,
};

constexpr size_t kDtypeCount = 8;
constexpr size_t kDtypeBytes[kDtypeCount] = {4, 8, 2, 2, 1, 1, 4, 8};
constexpr size_t BytesOf(Dtype dtype) { return kDtypeBytes[static_cast<size_t>(dtype)]; }

// 16 bits of an IEEE binary16, and the upper 16 bits of an IEEE binary32. half.h converts them.
struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

}  // namespace tensorkv

// The types of Dtype in its order, for lists of template instances.
#define TENSORKV_DTYPES(Each)                                                         \
  Each(float), Each(double), Each(Half), Each(Bfloat16), Each(int8_t), Each(uint8_t), \
      Each(int32_t), Each(int64_t)
