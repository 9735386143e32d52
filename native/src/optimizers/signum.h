#pragma once

#include "../element.h"

// See src/core/optimizers/signum.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Sign {
  static constexpr size_t kSlots = 0;
  C lr, keep;
  TENSORKV_EACH explicit Sign(const double* h) : lr(At<C>(h, 0)), keep(At<C>(h, 1)) {}
  TENSORKV_EACH C operator()(C w, C g, C*, size_t) const { return keep * w - lr * SignOf(g); }
};

template <typename C>
struct Signum {
  static constexpr size_t kSlots = 1;
  C lr, keep, momentum, rest;
  TENSORKV_EACH explicit Signum(const double* h)
      : lr(At<C>(h, 0)), keep(At<C>(h, 1)), momentum(At<C>(h, 2)), rest(At<C>(h, 3)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = momentum * s[0] - rest * g;
    return keep * w + lr * SignOf(s[0]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
