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
  explicit GroupAdagrad(const double* h)
      : lr(At<C>(h, 0)), epsilon(At<C>(h, 1)), row_length(static_cast<size_t>(h[2])) {}
  size_t Room(size_t) const { return 0; }

  void First(const C*, const C*, C* const*, size_t, size_t) {}

  void Finish(C* weights, C* gradient, C* const* slots, C*, size_t length) {
    const C rate = lr;
    const size_t columns = row_length;
    for (size_t row = 0; row * columns < length; ++row) {
      C* const w = weights + row * columns;
      const C* const g = gradient + row * columns;
      double sum = 0;
      for (size_t i = 0; i < columns; ++i) {
        sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
      }
      C& history = slots[0][row];
      history = history + static_cast<C>(sum / static_cast<double>(columns));
      const C root = Root(history + epsilon);
      TENSORKV_INDEPENDENT
      for (size_t i = 0; i < columns; ++i) w[i] = w[i] - rate * g[i] / root;
    }
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
