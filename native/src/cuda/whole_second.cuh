#pragma once

#include "whole.cuh"

// What rules that need the whole tensor do between their first launch and the last.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The second launches: on weights as they are computed.
template <typename C>
__device__ inline void LansSecond(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Lans<C> rule(whole.hyper);
  const C scale = Lans<C>::Scale(whole.sums[0]);
  const C* const w = Pointer<const C>(memory, item.step.master);
  ForEachInTiles<3>(chunk, TilesIn(item.length), Pointer<double>(memory, item.partials),
                    [&](uint64_t i, double* sums) {
                      C g = whole.gradient[i];
                      const C q = rule.Move(scale, w[i], g, whole.slots[0][i], whole.slots[1][i]);
                      whole.gradient[i] = g;
                      whole.second[i] = q;
                      AddSquare(sums[0], w[i]);
                      AddSquare(sums[1], g);
                      AddSquare(sums[2], q);
                    });
}

template <typename C>
__device__ inline void AdafactorMatrixSecond(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  const C mean = rule.Mean(whole.sums[2]);
  const C* const w = Pointer<const C>(memory, item.step.master);
  ForEachInTiles<2>(chunk, TilesIn(item.length), Pointer<double>(memory, item.partials),
                    [&](uint64_t i, double* sums) {
                      const Place at = PlaceOf(i, item.columns);
                      const C share = whole.slots[0][at.row] / mean;
                      const C g = AdafactorMatrix<C>::Direction(whole.gradient[i], share,
                                                                whole.slots[1][at.column]);
                      whole.gradient[i] = g;
                      AddSquare(sums[0], g);
                      AddSquare(sums[1], w[i]);
                    });
}

// Squares of rows, each added in order: a block takes 32 rows, and 32 of their columns at a time.
// Calls end(row, sum) for each.
template <typename C, typename Square, typename End>
__device__ inline void ForEachRowSum(const Chunk& chunk, const C* from, uint64_t columns,
                                     Square square, End end) {
  constexpr uint32_t kSide = cuda::kSide;
  __shared__ C tile[kSide][kSide + 1];
  const uint32_t line = threadIdx.x / kSide, place = threadIdx.x % kSide;
  double sum = 0;
  TENSORKV_ROLLED
  for (uint64_t first = 0; first < columns; first += kSide) {
    TENSORKV_ROLLED
    for (uint32_t k = line; k < chunk.length; k += blockDim.x / kSide) {
      if (first + place < columns) {
        tile[k][place] = from[(chunk.begin + k) * columns + first + place];
      }
    }
    __syncthreads();
    if (threadIdx.x < chunk.length) {
      TENSORKV_ROLLED
      for (uint32_t k = 0; k < kSide && first + k < columns; ++k) {
        sum += square(tile[threadIdx.x][k]);
      }
    }
    __syncthreads();
  }
  if (threadIdx.x < chunk.length) end(chunk.begin + threadIdx.x, sum);
}

template <typename C>
__device__ inline void AdafactorRows(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  ForEachRowSum(
      chunk, whole.gradient, item.columns, [&](C g) { return rule.Square(g); },
      [&](uint64_t row, double sum) {
        whole.slots[0][row] = rule.Factor(whole.slots[0][row], sum, item.columns);
      });
}

template <typename C>
__device__ inline void AdafactorColumns(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  ForEach<1>(chunk, false, [&](auto, uint64_t column) {
    double sum = 0;
    TENSORKV_UNROLLED_BY_FOUR
    for (uint64_t row = 0; row < item.rows; ++row) {
      sum += rule.Square(whole.gradient[row * item.columns + column]);
    }
    whole.slots[1][column] = rule.Factor(whole.slots[1][column], sum, item.rows);
  });
}

template <typename C>
__device__ inline void GroupAdagradRows(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const GroupAdagrad<C> rule(whole.hyper);
  ForEachRowSum(
      chunk, whole.gradient, item.columns, [](C g) { return GroupAdagrad<C>::Square(g); },
      [&](uint64_t row, double sum) {
        whole.slots[0][row] = rule.History(whole.slots[0][row], sum);
      });
}

}  // namespace

#define TENSORKV_WHOLE(name, C)                                                             \
  TENSORKV_MEETING_KERNEL(second_lans_##name) { LansSecond<C>(memory, table); }             \
  TENSORKV_MEETING_KERNEL(second_adafactorMatrix_##name) {                                  \
    AdafactorMatrixSecond<C>(memory, table);                                                \
  }                                                                                         \
  TENSORKV_MEETING_KERNEL(rows_adafactorMatrix_##name) { AdafactorRows<C>(memory, table); } \
  TENSORKV_KERNEL(columns_adafactorMatrix_##name) { AdafactorColumns<C>(memory, table); }   \
  TENSORKV_MEETING_KERNEL(rows_groupAdagrad_##name) { GroupAdagradRows<C>(memory, table); }

TENSORKV_EACH_COMPUTED(TENSORKV_WHOLE)

}  // namespace tensorkv::TENSORKV_LEVEL
