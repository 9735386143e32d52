#pragma once

#include "../element.h"

// See src/core/optimizers/adamax.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Adamax {
  static constexpr size_t kSlots = 2;
  C lr, beta1, rest1, beta2;
  TENSORKV_EACH explicit Adamax(const double* h)
      : lr(At<C>(h, 0)), beta1(At<C>(h, 1)), rest1(At<C>(h, 2)), beta2(At<C>(h, 3)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = beta1 * s[0] + rest1 * g;
    const C kept = beta2 * s[1], size = Size(g);
    s[1] = kept > size ? kept : size;
    return w - lr * s[0] / (s[1] == 0 ? C{1} : s[1]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
