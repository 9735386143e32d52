#pragma once

#include "../step_driver.h"

// See src/core/optimizers/adafactor.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// w = w - (rate * g / max(1, rms(g) / clip_threshold) + decay * w), g being the direction.
template <typename C>
void TakeAdafactorStep(const double* h, C* weights, const C* direction, size_t length) {
  const double count = static_cast<double>(length);
  const double along = Root(Squares(direction, length) / count) / h[5];
  const double size = Root(Squares(weights, length) / count);
  const double scale = h[6] == 0 ? 1 : size > h[4] ? size : h[4];
  const C rate = static_cast<C>(h[0] * scale / (along > 1 ? along : 1));
  const C decay = At<C>(h, 7);
  C* const w = weights;
  const C* const g = direction;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) w[i] = w[i] - (rate * g[i] + decay * w[i]);
}

template <typename C>
struct AdafactorVector {
  static constexpr bool kKeepsGradient = true;
  const double* hyper;
  C beta, rest, epsilon1;
  explicit AdafactorVector(const double* h)
      : hyper(h), beta(At<C>(h, 1)), rest(At<C>(h, 2)), epsilon1(At<C>(h, 3)) {}
  size_t Room(size_t) const { return 0; }

  void First(const C*, C* gradient, C* const* slots, size_t begin, size_t length) {
    const AdafactorVector h = *this;
    C* const v = slots[0] + begin;
    C* const g = gradient;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) {
      v[i] = h.beta * v[i] + h.rest * (g[i] * g[i] + h.epsilon1);
      g[i] = g[i] / Root(v[i]);
    }
  }

  void Finish(C* w, C* g, C* const*, C*, size_t length) {
    if (length > 0) TakeAdafactorStep(hyper, w, g, length);
  }
};

template <typename C>
struct AdafactorMatrix {
  static constexpr bool kKeepsGradient = true;
  const double* hyper;
  C beta, rest, epsilon1;
  size_t rows, columns;
  explicit AdafactorMatrix(const double* h)
      : hyper(h),
        beta(At<C>(h, 1)),
        rest(At<C>(h, 2)),
        epsilon1(At<C>(h, 3)),
        rows(static_cast<size_t>(h[8])),
        columns(static_cast<size_t>(h[9])) {}
  // The columns' sums, as doubles.
  size_t Room(size_t) const { return 2 * columns; }

  void First(const C*, const C*, C* const*, size_t, size_t) {}

  void Finish(C* w, C* gradient, C* const* slots, C* room, size_t length) {
    if (length == 0) return;
    double* const sums = reinterpret_cast<double*>(room);
    for (size_t c = 0; c < columns; ++c) sums[c] = 0;
    C* const a = slots[0];
    C* const b = slots[1];
    double total = 0;
    for (size_t r = 0; r < rows; ++r) {
      const double sum = AddRow(gradient + r * columns, sums);
      a[r] = beta * a[r] + rest * static_cast<C>(sum / static_cast<double>(columns));
      total += static_cast<double>(a[r]);
    }
    for (size_t c = 0; c < columns; ++c) {
      b[c] = beta * b[c] + rest * static_cast<C>(sums[c] / static_cast<double>(rows));
    }
    const C mean = static_cast<C>(total / static_cast<double>(rows));
    for (size_t r = 0; r < rows; ++r) {
      const C share = a[r] / mean;
      C* const g = gradient + r * columns;
      TENSORKV_INDEPENDENT
      for (size_t c = 0; c < columns; ++c) g[c] = g[c] / Root(share * b[c]);
    }
    TakeAdafactorStep(hyper, w, gradient, length);
  }

  // Adds the squares of a row to those of the columns; returns their sum.
  double AddRow(const C* g, double* sums) const {
    const C epsilon = epsilon1;
    const size_t end = columns;
    double sum = 0;
    for (size_t c = 0; c < end; ++c) {
      const double square = static_cast<double>(g[c] * g[c] + epsilon);
      sum += square;
      sums[c] += square;
    }
    return sum;
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
