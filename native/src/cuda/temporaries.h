#pragma once

#include <cstddef>

#include "operations.h"

namespace tensorkv::cuda {

// What an operation needs for itself while it runs: offsets, SIZE_MAX for what it does not need.
struct Temporaries {
  static constexpr size_t kNone = SIZE_MAX;
  size_t gradient = kNone, second = kNone;  // as long as the tensor, as what is computed
  size_t weights = kNone;                   // a half type's, where no master has them
  size_t squares[2] = {kNone, kNone};       // of Muon
  size_t partials = kNone;                  // doubles, a number of them a tile
  size_t sums = kNone;                      // doubles
  size_t bytes = 0;                         // of all
};

Temporaries TemporariesOf(const Operation& operation);
inline size_t TemporaryBytes(const Operation& operation) {
  const bool needs = operation.code == Code::kSquares || operation.code == Code::kStep;
  return needs ? TemporariesOf(operation).bytes : 0;
}

// Tiles of a tensor: what norms are made of.
constexpr size_t kTileLength = 512;
constexpr size_t TilesOf(size_t length) { return (length + kTileLength - 1) / kTileLength; }

}  // namespace tensorkv::cuda
