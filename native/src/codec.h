#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// How gradients are compressed.
struct CodecSpec {
  bool two_bit;  // else one bit
  float threshold;
};

}  // namespace tensorkv
