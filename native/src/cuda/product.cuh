#pragma once

#include "../optimizers/muon.h"
#include "device.cuh"

// Matrices, for Muon.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::MatrixItem;
using cuda::ProductItem;

// A chunk is a tile of 64 x 64 of the product; a thread makes 4 x 4 of it, and adds products in
// ascending order, as the CPU does.
template <typename C>
__device__ inline void ProductChunk(char* memory, uint64_t table) {
  constexpr uint32_t kSide = cuda::kProductSide, kDepth = 16, kEach = 4, kAcross = kSide / kEach;
  __shared__ C left[kDepth][kSide + 1];
  __shared__ C right[kDepth][kSide + 1];
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ProductItem>(memory, chunk);
  const C* const a = Pointer<const C>(memory, item.a);
  const C* const b = Pointer<const C>(memory, item.b);
  const uint64_t across = (item.columns + kSide - 1) / kSide;
  const uint64_t row = chunk.begin / across * kSide, column = chunk.begin % across * kSide;
  const uint32_t x = threadIdx.x % kAcross, y = threadIdx.x / kAcross;
  C sums[kEach][kEach] = {};
  TENSORKV_ROLLED
  for (uint64_t first = 0; first < item.depth; first += kDepth) {
    TENSORKV_ROLLED
    for (uint32_t i = threadIdx.x; i < kSide * kDepth; i += blockDim.x) {
      // Neighbours among the threads read neighbours in memory.
      const uint32_t k = i % kDepth, line = i / kDepth;
      const bool inside = first + k < item.depth;
      left[k][line] =
          inside && row + line < item.rows ? a[(row + line) * item.depth + first + k] : C{0};
      if (item.turned != 0) {
        right[k][line] = inside && column + line < item.columns
                             ? b[(column + line) * item.depth + first + k]
                             : C{0};
      } else {
        const uint32_t place = i % kSide, depth = i / kSide;
        right[depth][place] = first + depth < item.depth && column + place < item.columns
                                  ? b[(first + depth) * item.columns + column + place]
                                  : C{0};
      }
    }
    __syncthreads();
    const uint64_t rest = item.depth - first;
    const uint32_t depth = rest < kDepth ? static_cast<uint32_t>(rest) : kDepth;
    TENSORKV_ROLLED
    for (uint32_t k = 0; k < depth; ++k) {
      TENSORKV_UNROLLED
      for (uint32_t i = 0; i < kEach; ++i) {
        TENSORKV_UNROLLED
        for (uint32_t j = 0; j < kEach; ++j) {
          sums[i][j] = sums[i][j] + left[k][y + i * kAcross] * right[k][x + j * kAcross];
        }
      }
    }
    __syncthreads();
  }
  C* const out = Pointer<C>(memory, item.out);
  const C* const addend = item.addend != 0 ? Pointer<const C>(memory, item.addend) : nullptr;
  const C scale = static_cast<C>(item.scale), factor = static_cast<C>(item.factor);
  TENSORKV_UNROLLED
  for (uint32_t i = 0; i < kEach; ++i) {
    TENSORKV_UNROLLED
    for (uint32_t j = 0; j < kEach; ++j) {
      const uint64_t r = row + y + i * kAcross, c = column + x + j * kAcross;
      if (r >= item.rows || c >= item.columns) continue;
      const uint64_t at = r * item.columns + c;
      out[at] = addend != nullptr ? scale * addend[at] + factor * sums[i][j] : sums[i][j];
    }
  }
}

// A chunk is a tile of 32 x 32.
template <typename C>
__device__ inline void TransposeChunk(char* memory, uint64_t table) {
  constexpr uint32_t kSide = cuda::kSide;
  __shared__ C tile[kSide][kSide + 1];
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<MatrixItem>(memory, chunk);
  const C* const from = Pointer<const C>(memory, item.from);
  C* const to = Pointer<C>(memory, item.to);
  const uint64_t across = (item.columns + kSide - 1) / kSide;
  const uint64_t row = chunk.begin / across * kSide, column = chunk.begin % across * kSide;
  const uint32_t place = threadIdx.x % kSide;
  TENSORKV_ROLLED
  for (uint32_t k = threadIdx.x / kSide; k < kSide; k += blockDim.x / kSide) {
    if (row + k < item.rows && column + place < item.columns) {
      tile[k][place] = from[(row + k) * item.columns + column + place];
    }
  }
  __syncthreads();
  TENSORKV_ROLLED
  for (uint32_t k = threadIdx.x / kSide; k < kSide; k += blockDim.x / kSide) {
    if (column + k < item.columns && row + place < item.rows) {
      to[(column + k) * item.rows + row + place] = tile[place][k];
    }
  }
}

// Divides a matrix by its norm.
template <typename C>
__device__ inline void NormaliseChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<MatrixItem>(memory, chunk);
  C* const x = Pointer<C>(memory, item.to);
  const C scale = Muon<C>::Scale(*Pointer<const double>(memory, item.sum));
  ForEach<1>(chunk, false, [&](auto, uint64_t at) { x[at] = x[at] * scale; });
}

}  // namespace

#define TENSORKV_MATRIX_KERNELS(name, C)                                          \
  TENSORKV_MEETING_KERNEL(product_##name) { ProductChunk<C>(memory, table); }     \
  TENSORKV_MEETING_KERNEL(transpose_##name) { TransposeChunk<C>(memory, table); } \
  TENSORKV_KERNEL(normalise_##name) { NormaliseChunk<C>(memory, table); }
TENSORKV_EACH_COMPUTED(TENSORKV_MATRIX_KERNELS)

}  // namespace tensorkv::TENSORKV_LEVEL
