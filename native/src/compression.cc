#include "compression.h"

#include "codecs.h"

// GCC must not spell out loops of 16 iterations before it has made vectors of them: spelt out, the
// decoder of 2bit took 3.6 times as long.
#if defined(__clang__)
#define TENSORKV_NOT_UNROLLED
#else
#define TENSORKV_NOT_UNROLLED _Pragma("GCC unroll 1")
#endif

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// 4 bytes of codes, read as one number whose highest bits are the first code.
constexpr size_t kGroupBytes = 4;

// `code` as element 0, 1, ... of such a number.
template <size_t kElements>
struct Places {
  constexpr explicit Places(uint32_t code) {
    for (size_t k = 0; k < kElements; ++k) at[k] = code << (32 - 32 / kElements * (k + 1));
  }
  uint32_t at[kElements] = {};
};
constexpr Places<TwoBit::kElements> kPlus{3}, kMinus{2};
constexpr Places<OneBit::kElements> kOne{1};

inline uint32_t CodeAt(const TwoBit codec, float r, size_t place) {
  return (BitsIf(r >= codec.t) & kPlus.at[place]) | (BitsIf(r <= -codec.t) & kMinus.at[place]);
}
inline uint32_t CodeAt(const OneBit codec, float r, size_t place) {
  return BitsIf(r > codec.t) & kOne.at[place];
}
inline float ValueAt(const TwoBit codec, uint32_t codes, size_t place) {
  const uint32_t code = codes & kPlus.at[place];
  return codec.Choose(code == kPlus.at[place], code == kMinus.at[place]);
}
inline float ValueAt(const OneBit, uint32_t codes, size_t place) {
  return (codes & kOne.at[place]) != 0 ? 1.0f : -1.0f;
}

template <typename Codec>
inline void EncodeGroup(const Codec codec, const float* gradient, float* residual, uint8_t* out,
                        size_t size) {
  uint32_t codes = 0;
  TENSORKV_INDEPENDENT
  TENSORKV_NOT_UNROLLED
  for (size_t k = 0; k < size; ++k) {
    const float r = residual[k] + gradient[k];
    codes |= CodeAt(codec, r, k);
    residual[k] = r - codec.Value(r);
  }
  for (size_t b = 0; b < kGroupBytes; ++b) out[b] = static_cast<uint8_t>(codes >> (24 - 8 * b));
}

template <typename Codec>
inline void DecodeGroup(const Codec codec, const uint8_t* bytes, float* out, size_t size) {
  uint32_t codes = 0;
  for (size_t b = 0; b < kGroupBytes; ++b) codes = codes << 8 | bytes[b];
  TENSORKV_INDEPENDENT
  TENSORKV_NOT_UNROLLED
  for (size_t k = 0; k < size; ++k) out[k] = ValueAt(codec, codes, k);
}

template <typename Codec>
void EncodeWith(const Codec codec, const float* gradient, float* residual, uint8_t* out,
                size_t length) {
  constexpr size_t kElements = Codec::kElements;
  size_t i = 0;
  for (; length - i >= kElements; i += kElements, out += kGroupBytes) {
    EncodeGroup(codec, gradient + i, residual + i, out, kElements);
  }
  if (i < length) EncodeGroup(codec, gradient + i, residual + i, out, length - i);
}

template <typename Codec>
void DecodeWith(const Codec codec, const uint8_t* bytes, float* out, size_t length) {
  constexpr size_t kElements = Codec::kElements;
  size_t i = 0;
  for (; length - i >= kElements; i += kElements, bytes += kGroupBytes) {
    DecodeGroup(codec, bytes, out + i, kElements);
  }
  if (i < length) DecodeGroup(codec, bytes, out + i, length - i);
}

template <typename Codec>
void QuantizeWith(const Codec codec, const float* gradient, const float* residual, float* left,
                  float* out, size_t length) {
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) {
    const float r = residual[i] + gradient[i];
    const float value = codec.Value(r);
    left[i] = r - value;
    out[i] = value;
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
