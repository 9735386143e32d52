#pragma once

#include <cstddef>
#include <cstdint>

#include "element.h"
#include "level.h"

// See src/core/optimizers/noise.ts: the same operations in the same order.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

TENSORKV_EACH inline uint32_t Mix(uint32_t state, uint32_t word) {
  uint32_t x = state ^ word;
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return (x ^ (x >> 16)) + 0x9e3779b9u;
}

// ln((x + 1/2) / 2^32)
TENSORKV_EACH inline double LogOf(uint32_t x) {
  double m = static_cast<double>(x) + 0.5;
  int exponent = -32;
  while (m >= 1.5) {
    m *= 0.5;
    exponent += 1;
  }
  if (m < 0.75) {
    m *= 2;
    exponent -= 1;
  }
  const double t = (m - 1) / (m + 1);
  const double square = t * t;
  double sum = 1.0 / 19;
  for (int n = 17; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * 0.6931471805599453 + 2 * (t * sum);
}

// cos(2 pi x / 2^32)
TENSORKV_EACH inline double CosOf(uint32_t x) {
  const uint32_t quadrant = (x + 0x20000000u) >> 30;
  const int32_t offset = static_cast<int32_t>(x - quadrant * 0x40000000u);
  const double a = offset * 1.4629180792671596e-9;
  const double square = a * a;
  double even = 1, odd = 1;
  for (int n = 16; n >= 2; n -= 2) {
    even = 1 - square * even / (n * (n - 1));
    odd = 1 - square * odd / (n * (n + 1));
  }
  odd *= a;
  switch (quadrant) {
    case 0:
      return even;
    case 1:
      return -odd;
    case 2:
      return -even;
    default:
      return odd;
  }
}

// Noise number `position` of a stream: mean 0, variance 1.
TENSORKV_EACH inline double Normal(uint32_t low, uint32_t high, size_t position) {
  const uint32_t at = Mix(low, static_cast<uint32_t>(position));
  const uint32_t row = Mix(at, static_cast<uint32_t>(static_cast<uint64_t>(position) >> 32));
  const uint32_t radius = Mix(row, high);
  const uint32_t angle = Mix(radius, 0x27d4eb2fu);
  return Root(-2 * LogOf(radius)) * CosOf(angle);
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
