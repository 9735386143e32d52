#pragma once

#include "../element.h"

// See src/core/optimizers/rmsprop.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
TENSORKV_EACH inline C Limited(C x, C limit) {
  return x < -limit ? -limit : x > limit ? limit : x;
}

template <typename C>
struct Rmsprop {
  static constexpr size_t kSlots = 1;
  C lr, rho, rest, epsilon, limit;
  TENSORKV_EACH explicit Rmsprop(const double* h)
      : lr(At<C>(h, 0)),
        rho(At<C>(h, 1)),
        rest(At<C>(h, 2)),
        epsilon(At<C>(h, 3)),
        limit(At<C>(h, 4)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = rho * s[0] + rest * (g * g);
    return Limited(w - lr * g / (Root(s[0]) + epsilon), limit);
  }
};

template <typename C>
struct RmspropCentered {
  static constexpr size_t kSlots = 3;
  C lr, rho, rest, epsilon, limit, momentum;
  TENSORKV_EACH explicit RmspropCentered(const double* h)
      : lr(At<C>(h, 0)),
        rho(At<C>(h, 1)),
        rest(At<C>(h, 2)),
        epsilon(At<C>(h, 3)),
        limit(At<C>(h, 4)),
        momentum(At<C>(h, 5)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = rho * s[0] + rest * (g * g);
    s[1] = rho * s[1] + rest * g;
    const C spread = s[0] - s[1] * s[1] + epsilon;
    s[2] = momentum * s[2] - lr * g / Root(spread);
    return Limited(w + s[2], limit);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
