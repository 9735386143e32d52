#pragma once

#include "device.cuh"

// Sums of squares in the order of ../squares.h: tiles of 512 elements, each in 16 lanes that are
// added in order; the sums of tiles are added in order by one warp.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

constexpr uint32_t kLanes = 16;

// Calls element(position, sums) for the elements of a chunk, which begins with a tile. What it adds
// to the sums becomes partials[k * tiles + tile].
template <uint32_t kSums, typename Element>
__device__ inline void ForEachInTiles(const Chunk& chunk, uint64_t tiles, double* partials,
                                      Element element) {
  __shared__ double lanes[kSums][cuda::kThreads];
  const uint32_t group = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
  constexpr uint32_t kAtOnce = cuda::kThreads / kLanes * kTile;
  TENSORKV_ROLLED
  for (uint32_t first = 0; first < chunk.length; first += kAtOnce) {
    const uint32_t begin = first + group * kTile;
    const uint32_t end = begin + kTile < chunk.length ? begin + kTile : chunk.length;
    double sums[kSums] = {};
    TENSORKV_ROLLED
    for (uint32_t i = begin + lane; i < end; i += kLanes) element(chunk.begin + i, sums);
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kSums; ++k) lanes[k][threadIdx.x] = sums[k];
    __syncthreads();
    if (lane < kSums && begin < chunk.length) {
      double sum = 0;
      TENSORKV_UNROLLED
      for (uint32_t k = 0; k < kLanes; ++k) sum += lanes[lane][group * kLanes + k];
      partials[lane * tiles + (chunk.begin + begin) / kTile] = sum;
    }
    __syncthreads();
  }
}

template <typename C>
__device__ inline void AddSquare(double& sum, C x) {
  const double value = static_cast<double>(x);
  sum += value * value;
}

__device__ inline uint64_t TilesIn(uint64_t length) { return (length + kTile - 1) / kTile; }

// By one warp.
template <typename C>
__device__ inline void AddInOrder(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<cuda::PartialItem>(memory, chunk);
  const C* const from = Pointer<const C>(memory, item.from);
  double sum = 0;
  TENSORKV_ROLLED
  for (uint64_t begin = 0; begin < item.count; begin += cuda::kWarp) {
    const uint64_t i = begin + threadIdx.x;
    const double mine = i < item.count ? static_cast<double>(from[i]) : 0;
    const uint64_t rest = item.count - begin;
    const uint32_t count = rest < cuda::kWarp ? static_cast<uint32_t>(rest) : cuda::kWarp;
    TENSORKV_UNROLLED_BY_FOUR
    for (uint32_t k = 0; k < count; ++k) sum += __shfl_sync(0xffffffffu, mine, k);
  }
  if (threadIdx.x == 0) *Pointer<double>(memory, item.to) = sum;
}

template <typename T>
__device__ inline void SquaresChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<cuda::ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  double* const partials = Pointer<double>(memory, item.partials);
  ForEachInTiles<1>(chunk, 0, partials, [&](uint64_t i, double* sums) {
    AddSquare(sums[0], SumAt<T, 1, 1>(lists, i).x[0]);
  });
}

// Writes 0 where an exponent is all ones.
template <typename Bits, Bits kExponent>
__device__ inline void FiniteChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<cuda::ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const Bits* const from = lists.Input<Bits>(0);
  bool strange = false;
  ForEach<16 / sizeof(Bits)>(chunk, item.wide != 0, [&](auto width, uint64_t at) {
    const auto pack = Load<decltype(width)::value>(from + at);
    TENSORKV_UNROLLED
    for (const Bits bits : pack.x) strange = strange || (bits & kExponent) == kExponent;
  });
  if (strange) *lists.Out<int32_t>(0) = 0;
}

}  // namespace

#define TENSORKV_SQUARES(name, T) \
  TENSORKV_MEETING_KERNEL(squares_##name) { SquaresChunk<T>(memory, table); }
TENSORKV_EACH_FLOAT(TENSORKV_SQUARES)
TENSORKV_MEETING_KERNEL(add_in_order_float32) { AddInOrder<float>(memory, table); }
TENSORKV_MEETING_KERNEL(add_in_order_float64) { AddInOrder<double>(memory, table); }
TENSORKV_KERNEL(is_finite_float32) { FiniteChunk<uint32_t, 0x7f800000>(memory, table); }
TENSORKV_KERNEL(is_finite_float64) { FiniteChunk<uint64_t, 0x7ff0000000000000>(memory, table); }
TENSORKV_KERNEL(is_finite_float16) { FiniteChunk<uint16_t, 0x7c00>(memory, table); }
TENSORKV_KERNEL(is_finite_bfloat16) { FiniteChunk<uint16_t, 0x7f80>(memory, table); }

}  // namespace tensorkv::TENSORKV_LEVEL
