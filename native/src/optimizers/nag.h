#pragma once

#include "../element.h"

// See src/core/optimizers/nag.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Nag {
  static constexpr size_t kSlots = 1;
  C lr, momentum;
  TENSORKV_EACH explicit Nag(const double* h) : lr(At<C>(h, 0)), momentum(At<C>(h, 1)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    const C step = lr * g;
    s[0] = momentum * s[0] - step;
    return w + (momentum * s[0] - step);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
