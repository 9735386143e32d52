#pragma once

#include "../element.h"

// See src/core/optimizers/ftml.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Ftml {
  static constexpr size_t kSlots = 3;
  C scale, correction, beta1, rest1, beta2, rest2, epsilon;
  TENSORKV_EACH explicit Ftml(const double* h)
      : scale(At<C>(h, 0)),
        correction(At<C>(h, 1)),
        beta1(At<C>(h, 2)),
        rest1(At<C>(h, 3)),
        beta2(At<C>(h, 4)),
        rest2(At<C>(h, 5)),
        epsilon(At<C>(h, 6)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[1] = beta2 * s[1] + rest2 * (g * g);
    const C before = beta1 * s[0];
    s[0] = scale * (Root(s[1] * correction) + epsilon);
    const C sigma = s[0] - before;
    s[2] = (beta1 * s[2] + rest1 * g) - sigma * w;
    return -(s[2] / s[0]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
