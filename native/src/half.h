#pragma once

#include <cstddef>
#include <cstdint>

#include "dtype.h"
#include "level.h"

#if defined(__F16C__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// float16 and bfloat16 from and to float32, rounded to nearest, ties to even; NaN stays NaN. With
// instructions of the machine where the level has them, else with integers: the bits are the same,
// payloads of NaNs apart. Internal linkage: see level.h.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

TENSORKV_EACH inline uint32_t BitsOf(float x) { return __builtin_bit_cast(uint32_t, x); }
TENSORKV_EACH inline float FloatOf(uint32_t bits) { return __builtin_bit_cast(float, bits); }

#if defined(__CUDA_ARCH__)
__device__ inline float Widen(Half x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}
#else
TENSORKV_EACH inline float Widen(Half x) {
  const uint32_t sign = uint32_t{x.bits} >> 15 << 31;
  const uint32_t rest = uint32_t{x.bits} & 0x7fff;
  // The exponent bits moved to their place mean 2^-112 of the value; subnormals come out right too.
  const uint32_t scaled = BitsOf(FloatOf(rest << 13) * 0x1p112f);
  const uint32_t special = rest >= 0x7c00 ? 0x7f800000u : 0u;
  return FloatOf(scaled | special | sign);
}
#endif

TENSORKV_EACH inline float Widen(Bfloat16 x) { return FloatOf(uint32_t{x.bits} << 16); }

#if defined(__CUDA_ARCH__)
__device__ inline void Narrow(float x, Half& out) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(x));
}
#else
TENSORKV_EACH inline void Narrow(float x, Half& out) {
  const uint32_t bits = BitsOf(x);
  const uint32_t sign = bits >> 31 << 15;
  const uint32_t size = bits & 0x7fffffff;
  // Half a unit of the last place that stays, less one if that place is even; it may carry.
  const uint32_t normal = (size - (uint32_t{112} << 23) + 0xfff + ((size >> 13) & 1)) >> 13;
  // Adding 1/2 moves the bits of a subnormal to the end of the mantissa, rounded by the addition.
  const uint32_t subnormal = BitsOf(FloatOf(size) + 0.5f) - BitsOf(0.5f);
  const uint32_t special = size > 0x7f800000 ? 0x7e00u : 0x7c00u;
  const uint32_t finite = size < (uint32_t{113} << 23) ? subnormal : normal;
  out.bits = static_cast<uint16_t>((size >= (uint32_t{143} << 23) ? special : finite) | sign);
}
#endif

TENSORKV_EACH inline void Narrow(float x, Bfloat16& out) {
  const uint32_t bits = BitsOf(x);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40;
  out.bits = static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

// To the nearest float16 or bfloat16 with one rounding: the float in between is rounded to odd, so
// that it is never mistaken for a tie.
template <typename T>
TENSORKV_EACH inline void NarrowDouble(double x, T& out) {
  const float near = static_cast<float>(x);
  const double back = static_cast<double>(near);
  const uint32_t bits = BitsOf(near);
  const double size = x < 0 ? -x : x;
  const double back_size = back < 0 ? -back : back;
  const uint32_t odd = (back_size > size ? bits - 1 : bits) | 1;
  Narrow(back == x || x != x ? near : FloatOf(odd), out);
}

// out[i] = source[i]
template <typename T>
[[maybe_unused]] void WidenAll(const T* source, float* out, size_t length) {
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) out[i] = Widen(source[i]);
}

// out[i] = out[i] + source[i]
template <typename T>
[[maybe_unused]] void AddAll(const T* source, float* out, size_t length) {
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) out[i] = out[i] + Widen(source[i]);
}

// out[i] = source[i], rounded
template <typename T>
[[maybe_unused]] void NarrowAll(const float* source, T* out, size_t length) {
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) Narrow(source[i], out[i]);
}

#if defined(__F16C__)

inline __m256 WidenEight(const Half* source) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
}

template <>
[[maybe_unused]] void WidenAll<Half>(const Half* source, float* out, size_t length) {
  size_t i = 0;
  for (; i + 8 <= length; i += 8) _mm256_storeu_ps(out + i, WidenEight(source + i));
  for (; i < length; ++i) out[i] = Widen(source[i]);
}

template <>
[[maybe_unused]] void AddAll<Half>(const Half* source, float* out, size_t length) {
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), WidenEight(source + i)));
  }
  for (; i < length; ++i) out[i] = out[i] + Widen(source[i]);
}

template <>
[[maybe_unused]] void NarrowAll<Half>(const float* source, Half* out, size_t length) {
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    const __m128i narrow = _mm256_cvtps_ph(_mm256_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), narrow);
  }
  for (; i < length; ++i) Narrow(source[i], out[i]);
}

#elif defined(__aarch64__)

inline float32x4_t WidenFour(const Half* source) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&source->bits)));
}

template <>
[[maybe_unused]] void WidenAll<Half>(const Half* source, float* out, size_t length) {
  size_t i = 0;
  for (; i + 4 <= length; i += 4) vst1q_f32(out + i, WidenFour(source + i));
  for (; i < length; ++i) out[i] = Widen(source[i]);
}

template <>
[[maybe_unused]] void AddAll<Half>(const Half* source, float* out, size_t length) {
  size_t i = 0;
  for (; i + 4 <= length; i += 4) {
    vst1q_f32(out + i, vaddq_f32(vld1q_f32(out + i), WidenFour(source + i)));
  }
  for (; i < length; ++i) out[i] = out[i] + Widen(source[i]);
}

template <>
[[maybe_unused]] void NarrowAll<Half>(const float* source, Half* out, size_t length) {
  size_t i = 0;
  for (; i + 4 <= length; i += 4) {
    vst1_u16(&out[i].bits, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(source + i))));
  }
  for (; i < length; ++i) Narrow(source[i], out[i]);
}

#endif

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
