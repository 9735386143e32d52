#pragma once

#include <cstddef>
#include <cstdint>

#include "half.h"
#include "level.h"
#include "step.h"

// What is computed for one element, on the CPU and on CUDA devices alike.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// Elements that are summed at a time: the sum stays in L1 while the inputs stream past. Norms are
// made of blocks of this size, see squares.h, so it is the same for every dtype.
constexpr size_t kTile = 512;

// What a sum is made in: float for the half types, else the type itself.
template <typename T>
struct ComputeOf {
  using Type = T;
};
template <>
struct ComputeOf<Half> {
  using Type = float;
};
template <>
struct ComputeOf<Bfloat16> {
  using Type = float;
};
template <typename T>
using Compute = typename ComputeOf<T>::Type;
template <typename T>
constexpr bool kIsHalf = !__is_same(T, Compute<T>);

TENSORKV_EACH inline float Add(float a, float b) { return a + b; }
TENSORKV_EACH inline double Add(double a, double b) { return a + b; }
// Through unsigned: integers wrap around, and signed overflow is undefined.
TENSORKV_EACH inline int8_t Add(int8_t a, int8_t b) {
  return static_cast<int8_t>(static_cast<uint8_t>(a) + static_cast<uint8_t>(b));
}
TENSORKV_EACH inline uint8_t Add(uint8_t a, uint8_t b) { return static_cast<uint8_t>(a + b); }
TENSORKV_EACH inline int32_t Add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
TENSORKV_EACH inline int64_t Add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// The common hyper-parameters, rounded to C.
template <typename C>
struct Common {
  C rescale, clip, decay, kept, rest;
  TENSORKV_EACH explicit Common(const double* h)
      : rescale(static_cast<C>(h[0])),
        clip(static_cast<C>(h[1])),
        decay(static_cast<C>(h[2])),
        kept(static_cast<C>(h[3])),
        rest(static_cast<C>(1 - h[3])) {}
};

// What a sum goes through: clip(x * rescale).
template <typename C>
struct Limit {
  C rescale, clip;
  TENSORKV_EACH explicit Limit(const Common<C>& common)
      : rescale(common.rescale), clip(common.clip) {}
  TENSORKV_EACH C operator()(C sum) const {
    C x = sum * rescale;
    x = x < -clip ? -clip : x;
    return x > clip ? clip : x;
  }
};

// A gradient with its coupled decay. Not for a decay of 0: then w = inf is kept.
template <typename C>
TENSORKV_EACH inline C Decayed(C gradient, C w, const Common<C>& common) {
  return gradient + common.decay * w;
}

// The next moving average of w.
template <typename C>
TENSORKV_EACH inline C Averaged(C average, C w, const Common<C>& common) {
  return common.kept * average + common.rest * w;
}

// -1, 0 or 1; NaN stays NaN.
template <typename C>
TENSORKV_EACH inline C SignOf(C x) {
  return x > 0 ? C{1} : x < 0 ? C{-1} : x;
}

#if defined(__CUDA_ARCH__)
__device__ inline float Root(float x) { return __fsqrt_rn(x); }
__device__ inline double Root(double x) { return __dsqrt_rn(x); }
__device__ inline float Size(float x) { return fabsf(x); }
__device__ inline double Size(double x) { return fabs(x); }
#else
TENSORKV_EACH inline float Root(float x) { return __builtin_sqrtf(x); }
TENSORKV_EACH inline double Root(double x) { return __builtin_sqrt(x); }
TENSORKV_EACH inline float Size(float x) { return __builtin_fabsf(x); }
TENSORKV_EACH inline double Size(double x) { return __builtin_fabs(x); }
#endif

// Hyper-parameter `i`, rounded to C.
template <typename C>
TENSORKV_EACH inline C At(const double* h, size_t i) {
  return static_cast<C>(h[i]);
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
