#pragma once

#include <cstddef>
#include <cstdint>

#include "codec.h"
#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// Gradient compression with error feedback; every operation is rounded to float. Per element
// r = residual + gradient, and then
//   2bit:  r >= t: code 11, value t,  r - t is left
//          r <= -t: code 10, value -t, r + t is left
//          else    code 00, value 0,  r is left
//   1bit:  r > t:  bit 1,   value 1,  r - 1 is left
//          else    bit 0,   value -1, r + 1 is left
// Codes are packed from the most significant bits of the first byte on; a last group of 4 bytes is
// filled up with zeros.

// Writes codes to `out` (CompressedBytes of them) and what is left to `residual`.
void Encode(const CodecSpec& codec, const float* gradient, float* residual, uint8_t* out,
            size_t length);

// out[i] = the value of code i.
void Decode(const CodecSpec& codec, const uint8_t* bytes, float* out, size_t length);

// The values without the codes: out[i] is the value, left[i] is what is left. `left` may be
// `residual`, and `out` may be `gradient`.
void Quantize(const CodecSpec& codec, const float* gradient, const float* residual, float* left,
              float* out, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
