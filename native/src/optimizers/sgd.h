#pragma once

#include "../element.h"

// See src/core/optimizers/sgd.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Sgd {
  static constexpr size_t kSlots = 0;
  C lr;
  TENSORKV_EACH explicit Sgd(const double* h) : lr(At<C>(h, 0)) {}
  TENSORKV_EACH C operator()(C w, C g, C*, size_t) const { return w - lr * g; }
};

template <typename C>
struct SgdMomentum {
  static constexpr size_t kSlots = 1;
  C lr, momentum;
  TENSORKV_EACH explicit SgdMomentum(const double* h) : lr(At<C>(h, 0)), momentum(At<C>(h, 1)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = momentum * s[0] - lr * g;
    return w + s[0];
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
