#pragma once

#include "../element.h"

// See src/core/optimizers/lion.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Lion {
  static constexpr size_t kSlots = 1;
  C lr, beta1, rest1, beta2, rest2, decay;
  TENSORKV_EACH explicit Lion(const double* h)
      : lr(At<C>(h, 0)),
        beta1(At<C>(h, 1)),
        rest1(At<C>(h, 2)),
        beta2(At<C>(h, 3)),
        rest2(At<C>(h, 4)),
        decay(At<C>(h, 5)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    const C c = beta1 * s[0] + rest1 * g;
    s[0] = beta2 * s[0] + rest2 * g;
    return w - (lr * SignOf(c) + decay * w);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
