#pragma once

#include "../step_driver.h"
#include "muon_constants.h"

// See src/core/optimizers/muon.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct Matrix {
  C* data;
  size_t rows, columns;
};

// out = a b; each element adds its products in ascending order.
template <typename C>
void Multiply(const Matrix<C>& a, const Matrix<C>& b, const Matrix<C>& out) {
  for (size_t i = 0; i < a.rows; ++i) {
    C* const row = out.data + i * b.columns;
    for (size_t j = 0; j < b.columns; ++j) row[j] = 0;
    for (size_t k = 0; k < a.columns; ++k) {
      const C x = a.data[i * a.columns + k];
      const C* const other = b.data + k * b.columns;
      TENSORKV_INDEPENDENT
      for (size_t j = 0; j < b.columns; ++j) row[j] = row[j] + x * other[j];
    }
  }
}

template <typename C>
Matrix<C> Transpose(const Matrix<C>& a, C* out) {
  for (size_t i = 0; i < a.rows; ++i) {
    for (size_t j = 0; j < a.columns; ++j) out[j * a.rows + i] = a.data[i * a.columns + j];
  }
  return {out, a.columns, a.rows};
}

// x = a x + (b s + c s^2) x with s = x x^T, in place.
template <typename C>
void Orthogonalise(const Matrix<C>& x, C* room) {
  const C a = static_cast<C>(kMuonA), b = static_cast<C>(kMuonB), c = static_cast<C>(kMuonC);
  const size_t size = x.rows * x.columns, square = x.rows * x.rows;
  const Matrix<C> turned = Transpose(x, room);
  const Matrix<C> next = {room + size, x.rows, x.columns};
  const Matrix<C> s = {room + 2 * size, x.rows, x.rows};
  const Matrix<C> p = {room + 2 * size + square, x.rows, x.rows};
  Multiply(x, turned, s);
  Multiply(s, s, p);
  for (size_t i = 0; i < square; ++i) p.data[i] = b * s.data[i] + c * p.data[i];
  Multiply(p, x, next);
  for (size_t i = 0; i < size; ++i) x.data[i] = a * x.data[i] + next.data[i];
}

template <typename C>
struct Muon {
  static constexpr bool kKeepsGradient = true;
  double lr;
  C momentum, decay;
  bool ahead;
  int iterations;
  size_t rows, columns;
  TENSORKV_EACH explicit Muon(const double* h)
      : lr(h[0]),
        momentum(At<C>(h, 1)),
        decay(At<C>(h, 4)),
        ahead(h[2] != 0),
        iterations(static_cast<int>(h[3])),
        rows(static_cast<size_t>(h[5])),
        columns(static_cast<size_t>(h[6])) {}
  // A matrix like w, its transpose, its next value, and two squares.
  size_t Room(size_t length) const {
    const size_t side = rows < columns ? rows : columns;
    return 3 * length + 2 * side * side;
  }

  TENSORKV_EACH C Move(C g, C& m) const {
    m = momentum * m + g;
    return ahead ? g + momentum * m : m;
  }
  TENSORKV_EACH static C Scale(double squares) {
    return static_cast<C>(1 / (Root(squares) + 1e-7));
  }
  TENSORKV_EACH C Rate() const {
    const double shape = static_cast<double>(rows) / static_cast<double>(columns);
    return static_cast<C>(lr * (rows <= columns ? 1 : Root(shape)));
  }
  TENSORKV_EACH C Next(C rate, C w, C u) const { return w - (rate * u + decay * w); }

  void First(const C*, C* g, C* const* slots, size_t begin, size_t length) {
    C* const m = slots[0] + begin;
    for (size_t i = 0; i < length; ++i) g[i] = Move(g[i], m[i]);
  }

  void Finish(C* w, C* g, C* const*, C* room, size_t length) {
    const Matrix<C> direction = {g, rows, columns};
    // The squares are the smaller when rows are no more than columns.
    const bool flat = rows <= columns;
    const Matrix<C> x = flat ? direction : Transpose(direction, room);
    const C scale = Scale(Squares(x.data, length));
    for (size_t i = 0; i < length; ++i) x.data[i] = x.data[i] * scale;
    for (int k = 0; k < iterations; ++k) Orthogonalise(x, room + length);
    const C* const u = flat ? x.data : Transpose(x, g).data;
    const C rate = Rate();
    for (size_t i = 0; i < length; ++i) w[i] = Next(rate, w[i], u[i]);
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
