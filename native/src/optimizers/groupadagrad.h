#pragma once

#include "../step_driver.h"

// See src/core/optimizers/groupadagrad.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct GroupAdagrad {
  static constexpr bool kKeepsGradient = true;
  C lr, epsilon;
  size_t row_length;
  TENSORKV_EACH explicit GroupAdagrad(const double* h)
      : lr(At<C>(h, 0)), epsilon(At<C>(h, 1)), row_length(static_cast<size_t>(h[2])) {}
  size_t Room(size_t) const { return 0; }

  TENSORKV_EACH static double Square(C g) {
    return static_cast<double>(g) * static_cast<double>(g);
  }
  // The history of a row after `sum` of squares.
  TENSORKV_EACH C History(C before, double sum) const {
    return before + static_cast<C>(sum / static_cast<double>(row_length));
  }
  TENSORKV_EACH C RootOf(C history) const { return Root(history + epsilon); }
  TENSORKV_EACH static C Next(C rate, C w, C g, C root) { return w - rate * g / root; }

  void First(const C*, const C*, C* const*, size_t, size_t) {}

  void Finish(C* weights, C* gradient, C* const* slots, C*, size_t length) {
    const C rate = lr;
    const size_t columns = row_length;
    for (size_t row = 0; row * columns < length; ++row) {
      C* const w = weights + row * columns;
      const C* const g = gradient + row * columns;
      double sum = 0;
      for (size_t i = 0; i < columns; ++i) sum += Square(g[i]);
      C& history = slots[0][row];
      history = History(history, sum);
      const C root = RootOf(history);
      TENSORKV_INDEPENDENT
      for (size_t i = 0; i < columns; ++i) w[i] = Next(rate, w[i], g[i], root);
    }
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
