#pragma once

#include "../element.h"
#include "../noise.h"

// See src/core/optimizers/sgld.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Sgld {
  static constexpr size_t kSlots = 0;
  C half, deviation;
  uint32_t low, high;
  TENSORKV_EACH explicit Sgld(const double* h)
      : half(At<C>(h, 0)),
        deviation(At<C>(h, 1)),
        low(static_cast<uint32_t>(h[2])),
        high(static_cast<uint32_t>(h[3])) {}
  TENSORKV_EACH C operator()(C w, C g, C*, size_t at) const {
    const C noise = static_cast<C>(Normal(low, high, at));
    return (w - half * g) + deviation * noise;
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
