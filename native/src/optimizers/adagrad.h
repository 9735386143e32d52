#pragma once

#include "../element.h"

// See src/core/optimizers/adagrad.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Adagrad {
  static constexpr size_t kSlots = 1;
  C lr, epsilon;
  TENSORKV_EACH explicit Adagrad(const double* h) : lr(At<C>(h, 0)), epsilon(At<C>(h, 1)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = s[0] + g * g;
    return w - lr * g / (Root(s[0]) + epsilon);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
