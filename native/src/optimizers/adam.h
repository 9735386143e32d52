#pragma once

#include "../element.h"

// See src/core/optimizers/adam.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Adam {
  static constexpr size_t kSlots = 2;
  C lr, beta1, rest1, beta2, rest2, epsilon;
  TENSORKV_EACH explicit Adam(const double* h)
      : lr(At<C>(h, 0)),
        beta1(At<C>(h, 1)),
        rest1(At<C>(h, 2)),
        beta2(At<C>(h, 3)),
        rest2(At<C>(h, 4)),
        epsilon(At<C>(h, 5)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = beta1 * s[0] + rest1 * g;
    s[1] = beta2 * s[1] + rest2 * (g * g);
    return w - lr * s[0] / (Root(s[1]) + epsilon);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
