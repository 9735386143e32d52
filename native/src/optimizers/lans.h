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
  explicit Lans(const double* h)
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

  void First(const C*, const C* g, C* const*, size_t, size_t length) {
    g_squares += SquaresOfBlock(g, length);
  }

  void Finish(C* w, C* g, C* const* slots, C* q, size_t length) {
    const Lans h = *this;
    const double norm = Root(g_squares);
    const C scale = static_cast<C>(norm > 0 ? 1 / norm : 1);
    C* const m = slots[0];
    C* const v = slots[1];
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) {
      C x = g[i] * scale;
      x = x < -h.clip ? -h.clip : x;
      x = x > h.clip ? h.clip : x;
      m[i] = h.beta1 * m[i] + h.rest1 * x;
      v[i] = h.beta2 * v[i] + h.rest2 * (x * x);
      const C root = Root(v[i] * h.c2) + h.epsilon;
      const C decay = h.wd * w[i];
      g[i] = m[i] * h.c1 / root + decay;
      q[i] = x / root + decay;
    }
    const double w_squares = Squares(w, length);
    const C ratio_m = static_cast<C>(TrustRatio(w_squares, Squares(g, length), lower, upper));
    const C ratio_g = static_cast<C>(TrustRatio(w_squares, Squares(q, length), lower, upper));
    const C rate_m = lr * beta1 * ratio_m;
    const C rate_g = lr * rest1 * ratio_g;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) w[i] = w[i] - (rate_m * g[i] + rate_g * q[i]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
