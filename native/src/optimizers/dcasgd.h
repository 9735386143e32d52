#pragma once

#include "../element.h"

// See src/core/optimizers/dcasgd.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Dcasgd {
  static constexpr size_t kSlots = 2;
  C lr, momentum, lambda;
  TENSORKV_EACH explicit Dcasgd(const double* h)
      : lr(At<C>(h, 0)), momentum(At<C>(h, 1)), lambda(At<C>(h, 2)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    const C moved = (g * g) * (w - s[1]);
    const C d = g + lambda * moved;
    s[0] = momentum * s[0] - lr * d;
    s[1] = w;
    return w + s[0];
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
