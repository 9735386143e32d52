#pragma once

#include "../step_driver.h"
#include "lamb.h"

// See src/core/optimizers/lans.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Lans {
  static constexpr bool kKeepsGradient = true;
  C lr, beta1, rest1, beta2, rest2, epsilon, c1, c2, wd, clip;
  double lower, upper, g_squares = 0;
  TENSORKV_EACH explicit Lans(const double* h)
      : lr(At<C>(h, 0)),
        beta1(At<C>(h, 1)),
        rest1(At<C>(h, 2)),
        beta2(At<C>(h, 3)),
        rest2(At<C>(h, 4)),
        epsilon(At<C>(h, 5)),
        c1(At<C>(h, 6)),
        c2(At<C>(h, 7)),
        wd(At<C>(h, 8)),
        clip(At<C>(h, 11)),
        lower(h[9]),
        upper(h[10]) {}
  // The second direction.
  size_t Room(size_t length) const { return length; }

  // What gradients are multiplied by.
  TENSORKV_EACH static C Scale(double g_squared) {
    const double norm = Root(g_squared);
    return static_cast<C>(norm > 0 ? 1 / norm : 1);
  }
  // The gradient becomes the first direction; gives the second.
  TENSORKV_EACH C Move(C scale, C w, C& g, C& m, C& v) const {
    C x = g * scale;
    x = x < -clip ? -clip : x;
    x = x > clip ? clip : x;
    m = beta1 * m + rest1 * x;
    v = beta2 * v + rest2 * (x * x);
    const C root = Root(v * c2) + epsilon;
    const C decay = wd * w;
    g = m * c1 / root + decay;
    return x / root + decay;
  }
  // The rate of a direction, of which `share` goes into a step.
  TENSORKV_EACH C Rate(C share, double w_squared, double squared) const {
    return lr * share * static_cast<C>(TrustRatio(w_squared, squared, lower, upper));
  }
  TENSORKV_EACH static C Next(C rate_m, C rate_g, C w, C g, C q) {
    return w - (rate_m * g + rate_g * q);
  }

  void First(const C*, const C* g, C* const*, size_t, size_t length) {
    g_squares += SquaresOfBlock(g, length);
  }

  void Finish(C* w, C* g, C* const* slots, C* q, size_t length) {
    const Lans h = *this;
    const C scale = Scale(g_squares);
    C* const m = slots[0];
    C* const v = slots[1];
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) q[i] = h.Move(scale, w[i], g[i], m[i], v[i]);
    const double w_squares = Squares(w, length);
    const C rate_m = Rate(beta1, w_squares, Squares(g, length));
    const C rate_g = Rate(rest1, w_squares, Squares(q, length));
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) w[i] = Next(rate_m, rate_g, w[i], g[i], q[i]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
