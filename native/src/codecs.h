#pragma once

#include <cstddef>
#include <cstdint>

#include "level.h"

// The values of compression.h, one element at a time.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// All bits or none. Conditions that become numbers cannot become jumps, which would end vectors.
TENSORKV_EACH inline uint32_t BitsIf(bool condition) { return -static_cast<uint32_t>(condition); }

struct TwoBit {
  static constexpr size_t kElements = 16;  // in 4 bytes
  float t;

  TENSORKV_EACH float Value(float r) const { return Choose(r >= t, r <= -t); }
  TENSORKV_EACH float Choose(bool plus, bool minus) const {
    const uint32_t bits = (BitsIf(plus) & __builtin_bit_cast(uint32_t, t)) |
                          (BitsIf(minus) & __builtin_bit_cast(uint32_t, -t));
    return __builtin_bit_cast(float, bits);
  }
};

struct OneBit {
  static constexpr size_t kElements = 32;
  float t;

  TENSORKV_EACH float Value(float r) const { return r > t ? 1.0f : -1.0f; }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
