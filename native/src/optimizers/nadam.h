#pragma once

#include "../element.h"

// See src/core/optimizers/nadam.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Nadam {
  static constexpr size_t kSlots = 2;
  C lr_g, lr_m, beta1, rest1, beta2, rest2, epsilon, correction;
  TENSORKV_EACH explicit Nadam(const double* h)
      : lr_g(At<C>(h, 0)),
        lr_m(At<C>(h, 1)),
        beta1(At<C>(h, 2)),
        rest1(At<C>(h, 3)),
        beta2(At<C>(h, 4)),
        rest2(At<C>(h, 5)),
        epsilon(At<C>(h, 6)),
        correction(At<C>(h, 7)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = beta1 * s[0] + rest1 * g;
    s[1] = beta2 * s[1] + rest2 * (g * g);
    const C step = lr_g * g + lr_m * s[0];
    return w - step / (Root(s[1] * correction) + epsilon);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
