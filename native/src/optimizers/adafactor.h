#pragma once

#include "../step_driver.h"

// See src/core/optimizers/adafactor.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// w = w - (rate * g / max(1, rms(g) / clip_threshold) + decay * w), g being the direction.
template <typename C>
struct AdafactorStep {
  C rate, decay;
  TENSORKV_EACH AdafactorStep(const double* h, double g_squares, double w_squares, size_t length)
      : decay(At<C>(h, 7)) {
    const double count = static_cast<double>(length);
    const double along = Root(g_squares / count) / h[5];
    const double size = Root(w_squares / count);
    const double scale = h[6] == 0 ? 1 : size > h[4] ? size : h[4];
    rate = static_cast<C>(h[0] * scale / (along > 1 ? along : 1));
  }
  TENSORKV_EACH C Next(C w, C g) const { return w - (rate * g + decay * w); }
};

template <typename C>
void TakeAdafactorStep(const double* h, C* weights, const C* direction, size_t length) {
  const AdafactorStep<C> step(h, Squares(direction, length), Squares(weights, length), length);
  C* const w = weights;
  const C* const g = direction;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) w[i] = step.Next(w[i], g[i]);
}

template <typename C>
struct AdafactorVector {
  static constexpr bool kKeepsGradient = true;
  const double* hyper;
  C beta, rest, epsilon1;
  TENSORKV_EACH explicit AdafactorVector(const double* h)
      : hyper(h), beta(At<C>(h, 1)), rest(At<C>(h, 2)), epsilon1(At<C>(h, 3)) {}
  size_t Room(size_t) const { return 0; }

  // The gradient becomes the direction.
  TENSORKV_EACH void Move(C& g, C& v) const {
    v = beta * v + rest * (g * g + epsilon1);
    g = g / Root(v);
  }

  void First(const C*, C* gradient, C* const* slots, size_t begin, size_t length) {
    const AdafactorVector h = *this;
    C* const v = slots[0] + begin;
    C* const g = gradient;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) h.Move(g[i], v[i]);
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
  TENSORKV_EACH explicit AdafactorMatrix(const double* h)
      : hyper(h),
        beta(At<C>(h, 1)),
        rest(At<C>(h, 2)),
        epsilon1(At<C>(h, 3)),
        rows(static_cast<size_t>(h[8])),
        columns(static_cast<size_t>(h[9])) {}
  // The columns' sums, as doubles.
  size_t Room(size_t) const { return 2 * columns; }

  TENSORKV_EACH double Square(C g) const { return static_cast<double>(g * g + epsilon1); }
  // A factor after `sum` of `count` squares.
  TENSORKV_EACH C Factor(C before, double sum, size_t count) const {
    return beta * before + rest * static_cast<C>(sum / static_cast<double>(count));
  }
  TENSORKV_EACH C Mean(double total) const {
    return static_cast<C>(total / static_cast<double>(rows));
  }
  TENSORKV_EACH static C Direction(C g, C share, C b) { return g / Root(share * b); }

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
      a[r] = Factor(a[r], sum, columns);
      total += static_cast<double>(a[r]);
    }
    for (size_t c = 0; c < columns; ++c) b[c] = Factor(b[c], sums[c], rows);
    const C mean = Mean(total);
    for (size_t r = 0; r < rows; ++r) {
      const C share = a[r] / mean;
      C* const g = gradient + r * columns;
      TENSORKV_INDEPENDENT
      for (size_t c = 0; c < columns; ++c) g[c] = Direction(g[c], share, b[c]);
    }
    TakeAdafactorStep(hyper, w, gradient, length);
  }

  // Adds the squares of a row to those of the columns; returns their sum.
  double AddRow(const C* g, double* sums) const {
    const AdafactorMatrix h = *this;
    const size_t end = columns;
    double sum = 0;
    for (size_t c = 0; c < end; ++c) {
      const double square = h.Square(g[c]);
      sum += square;
      sums[c] += square;
    }
    return sum;
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
