#include "sgd_step.h"

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename T>
struct Hyper {
  T lr, momentum, wd, rescale, clip;
};

template <typename T, bool kMomentum, bool kDecay>
void StepTile(const T* sums, T* stored, T* momentum, const Hyper<T>& hyper, size_t length) {
  // Copies in registers: `stored` could alias `hyper` for all that the compiler knows.
  const Hyper<T> h = hyper;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) {
    T w = stored[i];
    T g = sums[i] * h.rescale;
    g = g < -h.clip ? -h.clip : g;
    g = g > h.clip ? h.clip : g;
    if constexpr (kDecay) g = g + h.wd * w;
    if constexpr (kMomentum) {
      const T m = h.momentum * momentum[i] - h.lr * g;
      momentum[i] = m;
      w = w + m;
    } else {
      w = w - h.lr * g;
    }
    stored[i] = w;
  }
}

template <typename T>
auto ChooseStep(bool has_momentum, bool decays) {
  if (has_momentum) return decays ? StepTile<T, true, true> : StepTile<T, true, false>;
  return decays ? StepTile<T, false, true> : StepTile<T, false, false>;
}

}  // namespace

template <typename T>
void SgdStep(const void* const* inputs, size_t count, void* stored, void* momentum,
             const SgdHyper& hyper, size_t length) {
  const Hyper<T> h = {static_cast<T>(hyper.lr), static_cast<T>(hyper.momentum),
                      static_cast<T>(hyper.wd), static_cast<T>(hyper.rescale),
                      static_cast<T>(hyper.clip)};
  T* const w = static_cast<T*>(stored);
  T* const m = static_cast<T*>(momentum);
  const auto step = ChooseStep<T>(m != nullptr, h.wd != 0);
  if (count == 1) {
    step(static_cast<const T*>(inputs[0]), w, m, h, length);
    return;
  }
  constexpr size_t kTile = kTileBytes / sizeof(T);
  alignas(64) T tile[kTile];
  for (size_t begin = 0; begin < length; begin += kTile) {
    const size_t left = length - begin;
    const size_t size = left < kTile ? left : kTile;
    SumRange(inputs, count, begin, tile, size, tile);
    step(tile, w + begin, m == nullptr ? nullptr : m + begin, h, size);
  }
}

template void SgdStep<float>(const void* const*, size_t, void*, void*, const SgdHyper&, size_t);
template void SgdStep<double>(const void* const*, size_t, void*, void*, const SgdHyper&, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
