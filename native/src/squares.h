#pragma once

#include <cstddef>

#include "sum.h"

// Sums of squares in double precision and in one order for every level and every number of threads:
// blocks of kTile elements, each in 16 interleaved lanes that are added in order.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The block of up to kTile elements from `x` on.
template <typename T>
double SquaresOfBlock(const T* x, size_t length) {
  constexpr size_t kLanes = 16;
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= length; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const double value = static_cast<double>(x[i + k]);
      lanes[k] += value * value;
    }
  }
  for (size_t k = 0; i + k < length; ++k) {
    const double value = static_cast<double>(x[i + k]);
    lanes[k] += value * value;
  }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <typename T>
double Squares(const T* x, size_t length) {
  double sum = 0;
  for (size_t begin = 0; begin < length; begin += kTile) {
    sum += SquaresOfBlock(x + begin, length - begin < kTile ? length - begin : kTile);
  }
  return sum;
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
