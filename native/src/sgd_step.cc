#include "sgd_step.h"

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename T>
struct Hyper {
  T lr, momentum, wd, rescale, clip;
};

template <typename T, bool kMomentum, bool kDecay>
void Step(const Group<T>& group, size_t count, T* stored, T* momentum, const Hyper<T>& hyper,
          size_t length) {
  WithOthers(count, [=](auto others) {
    // Copies in registers: `stored` could alias what was captured, for all that the compiler knows.
    const Group<T> g = group;
    const Hyper<T> h = hyper;
    T* const ws = stored;
    [[maybe_unused]] T* const ms = momentum;
    const size_t end = length;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < end; ++i) {
      const T w = ws[i];
      T gradient = SumAt(g.arrays, i, others) * h.rescale;
      gradient = gradient < -h.clip ? -h.clip : gradient;
      gradient = gradient > h.clip ? h.clip : gradient;
      if constexpr (kDecay) gradient = gradient + h.wd * w;
      if constexpr (kMomentum) {
        const T m = h.momentum * ms[i] - h.lr * gradient;
        ms[i] = m;
        ws[i] = w + m;
      } else {
        ws[i] = w - h.lr * gradient;
      }
    }
  });
}

template <typename T>
auto ChooseStep(bool has_momentum, bool decays) {
  if (has_momentum) return decays ? Step<T, true, true> : Step<T, true, false>;
  return decays ? Step<T, false, true> : Step<T, false, false>;
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
  ForEachGroup<T>(inputs, count, length,
                  [=, &h](const Group<T>& group, size_t used, size_t begin, size_t size) {
                    step(group, used, w + begin, m == nullptr ? nullptr : m + begin, h, size);
                  });
}

template void SgdStep<float>(const void* const*, size_t, void*, void*, const SgdHyper&, size_t);
template void SgdStep<double>(const void* const*, size_t, void*, void*, const SgdHyper&, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
