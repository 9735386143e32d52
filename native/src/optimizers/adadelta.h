#pragma once

#include "../element.h"

// See src/core/optimizers/adadelta.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Adadelta {
  static constexpr size_t kSlots = 2;
  C lr, rho, rest, epsilon;
  TENSORKV_EACH explicit Adadelta(const double* h)
      : lr(At<C>(h, 0)), rho(At<C>(h, 1)), rest(At<C>(h, 2)), epsilon(At<C>(h, 3)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = rho * s[0] + rest * (g * g);
    const C d = Root(s[1] + epsilon) / Root(s[0] + epsilon) * g;
    s[1] = rho * s[1] + rest * (d * d);
    return w - lr * d;
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
