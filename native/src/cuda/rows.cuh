#pragma once

#include "device.cuh"

// Rows of tensors that lie anywhere in them: a row by as many threads as it fills, up to a warp, or
// by a block where it is long. No atomics, so that sums have one order.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::RowItem;

template <typename T>
__device__ inline void SumRowsChunk(char* memory, uint64_t table) {
  constexpr uint32_t kMost = 16 / sizeof(T);
  using C = Compute<T>;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<RowItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const int64_t* const starts = Pointer<const int64_t>(memory, item.rows);
  // Two words a piece: which input, which row of it.
  const int64_t* const pieces = starts + item.length + 1;
  const RowsOf part = RowsIn(chunk, item.row_length);
  ForEachOfRows<kMost>(
      part, item.lanes_log2, item.unit > 1, [&](auto width, uint32_t row, uint32_t i) {
        constexpr uint32_t kCount = decltype(width)::value;
        const uint64_t at = part.begin + i;
        const int64_t* const bounds = starts + part.first + row;
        Pack<C, kCount> sum = {};
        TENSORKV_ROLLED
        for (int64_t k = bounds[0]; k < bounds[1]; ++k) {
          const T* const from = lists.Input<T>(static_cast<uint32_t>(pieces[2 * k])) +
                                static_cast<uint64_t>(pieces[2 * k + 1]) * item.row_length + at;
          const Pack<C, kCount> more = LoadWide<T, kCount>(from);
          TENSORKV_UNROLLED
          for (uint32_t x = 0; x < kCount; ++x)
            sum.x[x] = k == bounds[0] ? more.x[x] : Add(sum.x[x], more.x[x]);
        }
        StoreAll<T, kCount>(lists, (part.first + row) * item.row_length + at, sum);
      });
}

template <uint32_t kUnit, bool kGather>
__device__ inline void MoveRows(const Lists& lists, const Chunk& chunk, const RowItem& item) {
  const int64_t* const rows = Pointer<const int64_t>(lists.memory, item.rows);
  const uint8_t* const from = lists.Input<uint8_t>(0);
  uint8_t* const to = lists.Out<uint8_t>(0);
  const RowsOf part = RowsIn(chunk, item.row_length);
  ForEachOfRows<kUnit>(part, item.lanes_log2, kUnit > 1, [&](auto width, uint32_t row, uint32_t i) {
    constexpr uint32_t kCount = decltype(width)::value;
    const uint64_t here = (part.first + row) * item.row_length + part.begin + i;
    const int64_t other = rows[part.first + row];
    const uint64_t there = static_cast<uint64_t>(other) * item.row_length + part.begin + i;
    if constexpr (kGather) {
      Pack<uint8_t, kCount> pack = {};
      if (other >= 0) pack = Load<kCount>(from + there);
      Store(to + here, pack);
    } else {
      Store(to + there, Load<kCount>(from + here));
    }
  });
}

template <bool kGather>
__device__ inline void MoveRowsChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<RowItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  if (item.unit == 16) {
    MoveRows<16, kGather>(lists, chunk, item);
  } else if (item.unit == 4) {
    MoveRows<4, kGather>(lists, chunk, item);
  } else {
    MoveRows<1, kGather>(lists, chunk, item);
  }
}

}  // namespace

#define TENSORKV_SUM_ROWS(name, T) \
  TENSORKV_KERNEL(sum_rows_##name) { SumRowsChunk<T>(memory, table); }
TENSORKV_EACH_DTYPE(TENSORKV_SUM_ROWS)
TENSORKV_KERNEL(gather_rows) { MoveRowsChunk<true>(memory, table); }
TENSORKV_KERNEL(scatter_rows) { MoveRowsChunk<false>(memory, table); }

}  // namespace tensorkv::TENSORKV_LEVEL
