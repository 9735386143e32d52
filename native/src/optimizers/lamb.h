#pragma once

#include "../step_driver.h"

// See src/core/optimizers/lamb.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// |w| / |r| with |w| within the limits; 1 where either is 0 or no number.
TENSORKV_EACH inline double TrustRatio(double w_squares, double r_squares, double lower,
                                       double upper) {
  const double size = Root(w_squares);
  const double limited = size < lower ? lower : size > upper ? upper : size;
  const double length = Root(r_squares);
  return limited > 0 && length > 0 ? limited / length : 1;
}

template <typename C>
struct Lamb {
  static constexpr bool kKeepsGradient = false;
  C lr, beta1, rest1, beta2, rest2, epsilon, c1, c2, wd;
  double lower, upper, w_squares = 0, r_squares = 0;
  TENSORKV_EACH explicit Lamb(const double* h)
      : lr(At<C>(h, 0)),
        beta1(At<C>(h, 1)),
        rest1(At<C>(h, 2)),
        beta2(At<C>(h, 3)),
        rest2(At<C>(h, 4)),
        epsilon(At<C>(h, 5)),
        c1(At<C>(h, 6)),
        c2(At<C>(h, 7)),
        wd(At<C>(h, 8)),
        lower(h[9]),
        upper(h[10]) {}
  size_t Room(size_t) const { return 0; }

  TENSORKV_EACH C Direction(C w, C m, C v) const {
    return m * c1 / (Root(v * c2) + epsilon) + wd * w;
  }
  // Gives the direction.
  TENSORKV_EACH C Move(C w, C g, C& m, C& v) const {
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    return Direction(w, m, v);
  }
  TENSORKV_EACH C Rate(double w_squared, double r_squared) const {
    return lr * static_cast<C>(TrustRatio(w_squared, r_squared, lower, upper));
  }
  TENSORKV_EACH C Next(C rate, C w, C m, C v) const { return w - rate * Direction(w, m, v); }

  void First(const C* w, C* g, C* const* slots, size_t begin, size_t length) {
    const Lamb h = *this;
    C* const m = slots[0] + begin;
    C* const v = slots[1] + begin;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) g[i] = h.Move(w[i], g[i], m[i], v[i]);
    w_squares += SquaresOfBlock(w, length);
    r_squares += SquaresOfBlock(g, length);
  }

  // The direction is made again: reading it back would cost as much as reading what it is made of.
  void Finish(C* w, C*, C* const* slots, C*, size_t length) {
    const Lamb h = *this;
    const C rate = Rate(w_squares, r_squares);
    const C* const m = slots[0];
    const C* const v = slots[1];
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) w[i] = h.Next(rate, w[i], m[i], v[i]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
