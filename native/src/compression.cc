#include "compression.h"

#include <cstring>

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// Elements whose codes stand in bytes of their own before they are packed. A multiple of 32.
constexpr size_t kCodes = 512;

struct TwoBit {
  static constexpr size_t kPerByte = 4;
  float t;
  uint8_t Code(float r) const { return r >= t ? 3 : r <= -t ? 2 : 0; }
  float Value(float r) const { return r >= t ? t : r <= -t ? -t : 0.0f; }
  float Left(float r) const { return r >= t ? r - t : r <= -t ? r + t : r; }
  // Four codes of a byte each, the first in the lowest byte, to one byte that starts with the
  // first: the product moves each to its place, and nothing else up there.
  static uint8_t Pack(const uint8_t* codes) {
    uint32_t four;
    memcpy(&four, codes, sizeof(four));
    return static_cast<uint8_t>((four * 0x40100401u) >> 24);
  }
  float Decoded(uint8_t byte, size_t place) const {
    const unsigned code = (byte >> (6 - 2 * place)) & 3u;
    return code == 3 ? t : code == 2 ? -t : 0.0f;
  }
};

struct OneBit {
  static constexpr size_t kPerByte = 8;
  float t;
  uint8_t Code(float r) const { return r > t ? 1 : 0; }
  float Value(float r) const { return r > t ? 1.0f : -1.0f; }
  float Left(float r) const { return r > t ? r - 1.0f : r + 1.0f; }
  static uint8_t Pack(const uint8_t* codes) {
    uint64_t eight;
    memcpy(&eight, codes, sizeof(eight));
    return static_cast<uint8_t>((eight * 0x8040201008040201ull) >> 56);
  }
  float Decoded(uint8_t byte, size_t place) const {
    return (byte >> (7 - place)) & 1u ? 1.0f : -1.0f;
  }
};

template <typename Codec>
void EncodeWith(Codec codec, const float* gradient, float* residual, uint8_t* out, size_t length) {
  alignas(64) uint8_t codes[kCodes];
  for (size_t begin = 0; begin < length; begin += kCodes) {
    const size_t size = length - begin < kCodes ? length - begin : kCodes;
    const float* const g = gradient + begin;
    float* const left = residual + begin;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < size; ++i) {
      const float r = left[i] + g[i];
      codes[i] = codec.Code(r);
      left[i] = codec.Left(r);
    }
    // Whole groups of four bytes; only the last one of all can have room left.
    constexpr size_t kGroup = 4 * Codec::kPerByte;
    const size_t padded = (size + kGroup - 1) / kGroup * kGroup;
    for (size_t i = size; i < padded; ++i) codes[i] = 0;
    uint8_t* const bytes = out + begin / Codec::kPerByte;
    const size_t count = padded / Codec::kPerByte;
    for (size_t k = 0; k < count; ++k) bytes[k] = Codec::Pack(codes + k * Codec::kPerByte);
  }
}

template <typename Codec>
void DecodeWith(Codec codec, const uint8_t* bytes, float* out, size_t length) {
  constexpr size_t kPerByte = Codec::kPerByte;
  const size_t whole = length / kPerByte;
  for (size_t k = 0; k < whole; ++k) {
    for (size_t place = 0; place < kPerByte; ++place) {
      out[k * kPerByte + place] = codec.Decoded(bytes[k], place);
    }
  }
  for (size_t i = whole * kPerByte; i < length; ++i) {
    out[i] = codec.Decoded(bytes[i / kPerByte], i % kPerByte);
  }
}

template <typename Codec>
void QuantizeWith(Codec codec, const float* gradient, const float* residual, float* left,
                  float* out, size_t length) {
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) {
    const float r = residual[i] + gradient[i];
    left[i] = codec.Left(r);
    out[i] = codec.Value(r);
  }
}

}  // namespace

void Encode(const CodecSpec& codec, const float* gradient, float* residual, uint8_t* out,
            size_t length) {
  if (codec.two_bit) {
    EncodeWith(TwoBit{codec.threshold}, gradient, residual, out, length);
  } else {
    EncodeWith(OneBit{codec.threshold}, gradient, residual, out, length);
  }
}

void Decode(const CodecSpec& codec, const uint8_t* bytes, float* out, size_t length) {
  if (codec.two_bit) {
    DecodeWith(TwoBit{codec.threshold}, bytes, out, length);
  } else {
    DecodeWith(OneBit{codec.threshold}, bytes, out, length);
  }
}

void Quantize(const CodecSpec& codec, const float* gradient, const float* residual, float* left,
              float* out, size_t length) {
  if (codec.two_bit) {
    QuantizeWith(TwoBit{codec.threshold}, gradient, residual, left, out, length);
  } else {
    QuantizeWith(OneBit{codec.threshold}, gradient, residual, left, out, length);
  }
}

}  // namespace tensorkv::TENSORKV_LEVEL
