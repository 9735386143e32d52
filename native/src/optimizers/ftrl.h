#pragma once

#include "../element.h"

// See src/core/optimizers/ftrl.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Ftrl {
  static constexpr size_t kSlots = 2;
  C inverse, lambda1, beta, wd;
  TENSORKV_EACH explicit Ftrl(const double* h)
      : inverse(At<C>(h, 0)), lambda1(At<C>(h, 1)), beta(At<C>(h, 2)), wd(At<C>(h, 3)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    const C before = Root(s[1]);
    s[1] = s[1] + g * g;
    const C root = Root(s[1]);
    const C sigma = (root - before) * inverse;
    s[0] = (s[0] + g) - sigma * w;
    const C over = Size(s[0]) - lambda1;
    const C scale = (root + beta) * inverse + wd;
    return over <= 0 ? C{0} : -(SignOf(s[0]) * over / scale);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
