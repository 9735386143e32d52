#pragma once

#include "../step_driver.h"

// See src/core/optimizers/lars.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Lars {
  static constexpr bool kKeepsGradient = true;
  C lr, momentum, wd;
  double decay, eta, epsilon, w_squares = 0, g_squares = 0;
  TENSORKV_EACH explicit Lars(const double* h)
      : lr(At<C>(h, 0)),
        momentum(At<C>(h, 1)),
        wd(At<C>(h, 2)),
        decay(h[2]),
        eta(h[3]),
        epsilon(h[4]) {}
  size_t Room(size_t) const { return 0; }

  TENSORKV_EACH C Rate(double w_squared, double g_squared) const {
    const double weights = Root(w_squared), gradients = Root(g_squared);
    const bool trusted = weights > 0 && gradients > 0;
    const double ratio = trusted ? eta * weights / (gradients + decay * weights + epsilon) : 1;
    return static_cast<C>(static_cast<double>(lr) * ratio);
  }
  TENSORKV_EACH C Next(C rate, C w, C g, C& m) const {
    const C step = rate * (g + wd * w);
    m = momentum * m - step;
    return w + m;
  }

  void First(const C* w, const C* g, C* const*, size_t, size_t length) {
    w_squares += SquaresOfBlock(w, length);
    g_squares += SquaresOfBlock(g, length);
  }

  void Finish(C* w, C* g, C* const* slots, C*, size_t length) {
    const Lars h = *this;
    const C rate = Rate(w_squares, g_squares);
    C* const m = slots[0];
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) w[i] = h.Next(rate, w[i], g[i], m[i]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
