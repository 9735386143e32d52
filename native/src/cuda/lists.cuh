#pragma once

#include "../convert.h"
#include "device.cuh"

// Sums, copies, fills, casts and arithmetic: element i of the outs is made of element i of the
// inputs.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::ListItem;

template <typename T>
constexpr uint32_t kPerLoad = 16 / sizeof(T);

template <typename T>
__device__ inline void SumChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  ForEach<kPerLoad<T>>(chunk, item.wide != 0, [&](auto width, uint64_t at) {
    constexpr uint32_t kCount = decltype(width)::value;
    StoreAll<T, kCount>(lists, at, SumAt<T, kCount, (kCount > 1 ? 4 : 1)>(lists, at));
  });
}

// Of bytes: their dtype does not matter.
__device__ inline void CopyChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const uint8_t* const from = lists.Input<uint8_t>(0);
  ForEach<16>(chunk, item.wide != 0, [&](auto width, uint64_t at) {
    constexpr uint32_t kCount = decltype(width)::value;
    const Pack<uint8_t, kCount> pack = Load<kCount>(from + at);
    TENSORKV_ROLLED
    for (uint32_t k = 0; k < lists.out_count; ++k) Store(lists.Out<uint8_t>(k) + at, pack);
  });
}

template <typename T>
__device__ inline void FillChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const T value = static_cast<T>(static_cast<uint64_t>(item.bits));
  ForEach<kPerLoad<T>>(chunk, item.wide != 0, [&](auto width, uint64_t at) {
    Pack<T, decltype(width)::value> pack;
    TENSORKV_UNROLLED
    for (T& x : pack.x) x = value;
    TENSORKV_ROLLED
    for (uint32_t k = 0; k < lists.out_count; ++k) Store(lists.Out<T>(k) + at, pack);
  });
}

// Calls make(element of the first input, of the second or the first).
template <typename T, typename To, typename Make>
__device__ inline void MakeChunk(const Chunk& chunk, const Lists& lists, bool wide, Make make) {
  const T* const a = lists.Input<T>(0);
  const T* const b = lists.Input<T>(lists.input_count - 1);
  To* const out = lists.Out<To>(0);
  constexpr uint32_t kLess = sizeof(T) > sizeof(To) ? kPerLoad<T> : kPerLoad<To>;
  ForEach<(kLess < 4 ? 4 : kLess)>(chunk, wide, [&](auto width, uint64_t at) {
    constexpr uint32_t kCount = decltype(width)::value;
    const Pack<T, kCount> x = Load<kCount>(a + at), y = Load<kCount>(b + at);
    Pack<To, kCount> made;
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kCount; ++k) made.x[k] = make(x.x[k], y.x[k]);
    Store(out + at, made);
  });
}

template <typename From, typename To>
__device__ inline void CastChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  MakeChunk<From, To>(chunk, ListsOf(memory, item), item.wide != 0, [](From x, From) {
    return Convert<To>(x);
  });
}

// The lowest 32 bits of the integer that `x` is cut to: 0 where there is none.
__device__ inline uint32_t WrappedOf(double x) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, x);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1075;  // of the last bit
  const uint64_t digits = (bits & 0xfffffffffffff) | 0x10000000000000;
  uint64_t size = 0;
  if (exponent > -53 && exponent < 0) size = digits >> -exponent;
  if (exponent >= 0 && exponent < 32) size = digits << exponent;
  return static_cast<uint32_t>(bits >> 63 != 0 ? 0 - size : size);
}

// See src/core/elementwise.ts: in double precision, rounded once; integers wrap around.
template <typename T>
struct Arithmetic {
  double number;
  int64_t bits;
  uint32_t wrapped;
  bool whole;  // `number` is an integer
  __device__ explicit Arithmetic(const ListItem& item)
      : number(item.number),
        bits(item.bits),
        wrapped(WrappedOf(item.number)),
        whole(item.number - item.number == 0 && trunc(item.number) == item.number) {}

  __device__ static double DoubleOf(T x) { return static_cast<double>(Widened<T>(x)); }
  __device__ static T Rounded(double x) {
    if constexpr (kIsHalf<T>) {
      T out;
      NarrowDouble(x, out);
      return out;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(x);
    } else {
      return static_cast<T>(WrappedOf(x));
    }
  }
  __device__ static T Product(T x, T y) {
    if constexpr (kIsHalf<T> || std::is_floating_point_v<T>) {
      return Rounded(DoubleOf(x) * DoubleOf(y));
    } else {
      return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
    }
  }
  __device__ T PlusNumber(T x) const {
    if constexpr (sizeof(T) == 8 && !std::is_floating_point_v<T>) {
      return Add(x, bits);
    } else {
      return Rounded(DoubleOf(x) + number);
    }
  }
  __device__ T TimesNumber(T x) const {
    if constexpr (kIsHalf<T> || std::is_floating_point_v<T>) {
      return Rounded(DoubleOf(x) * number);
    } else if constexpr (sizeof(T) == 8) {
      return Product(x, bits);
    } else {
      return whole ? static_cast<T>(static_cast<uint32_t>(x) * wrapped)
                   : Rounded(DoubleOf(x) * number);
    }
  }
  __device__ T PlusScaled(T x, T y) const {
    if constexpr (kIsHalf<T> || std::is_floating_point_v<T>) {
      return Rounded(DoubleOf(x) + number * DoubleOf(y));
    } else if constexpr (sizeof(T) == 8) {
      return Add(x, Product(y, bits));
    } else {
      return whole ? static_cast<T>(static_cast<uint32_t>(x) + static_cast<uint32_t>(y) * wrapped)
                   : Rounded(DoubleOf(x) + number * DoubleOf(y));
    }
  }
};

template <typename T, typename Make>
__device__ inline void ComputeChunk(char* memory, uint64_t table, Make make) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Arithmetic<T> h(item);
  MakeChunk<T, T>(chunk, ListsOf(memory, item), item.wide != 0,
                  [&](T x, T y) { return make(h, x, y); });
}

}  // namespace

#define TENSORKV_LIST_KERNELS(name, T)                                                          \
  TENSORKV_KERNEL(sum_##name) { SumChunk<T>(memory, table); }                                   \
  TENSORKV_KERNEL(add_scaled_##name) {                                                          \
    ComputeChunk<T>(memory, table, [](const auto& h, T x, T y) { return h.PlusScaled(x, y); }); \
  }                                                                                             \
  TENSORKV_KERNEL(multiply_##name) {                                                            \
    ComputeChunk<T>(memory, table, [](const auto& h, T x, T y) { return h.Product(x, y); });    \
  }                                                                                             \
  TENSORKV_KERNEL(add_number_##name) {                                                          \
    ComputeChunk<T>(memory, table, [](const auto& h, T x, T) { return h.PlusNumber(x); });      \
  }                                                                                             \
  TENSORKV_KERNEL(multiply_number_##name) {                                                     \
    ComputeChunk<T>(memory, table, [](const auto& h, T x, T) { return h.TimesNumber(x); });     \
  }
TENSORKV_EACH_DTYPE(TENSORKV_LIST_KERNELS)

// In both directions.
#define TENSORKV_CASTS(a, A, b, B)                                   \
  TENSORKV_KERNEL(cast_##a##_##b) { CastChunk<A, B>(memory, table); } \
  TENSORKV_KERNEL(cast_##b##_##a) { CastChunk<B, A>(memory, table); }
TENSORKV_CASTS(float32, float, float64, double)
TENSORKV_CASTS(float32, float, float16, Half)
TENSORKV_CASTS(float32, float, bfloat16, Bfloat16)
TENSORKV_CASTS(float32, float, int8, int8_t)
TENSORKV_CASTS(float32, float, uint8, uint8_t)
TENSORKV_CASTS(float32, float, int32, int32_t)
TENSORKV_CASTS(float32, float, int64, int64_t)
TENSORKV_CASTS(float64, double, float16, Half)
TENSORKV_CASTS(float64, double, bfloat16, Bfloat16)
TENSORKV_CASTS(float64, double, int8, int8_t)
TENSORKV_CASTS(float64, double, uint8, uint8_t)
TENSORKV_CASTS(float64, double, int32, int32_t)
TENSORKV_CASTS(float64, double, int64, int64_t)
TENSORKV_CASTS(float16, Half, bfloat16, Bfloat16)
TENSORKV_CASTS(float16, Half, int8, int8_t)
TENSORKV_CASTS(float16, Half, uint8, uint8_t)
TENSORKV_CASTS(float16, Half, int32, int32_t)
TENSORKV_CASTS(float16, Half, int64, int64_t)
TENSORKV_CASTS(bfloat16, Bfloat16, int8, int8_t)
TENSORKV_CASTS(bfloat16, Bfloat16, uint8, uint8_t)
TENSORKV_CASTS(bfloat16, Bfloat16, int32, int32_t)
TENSORKV_CASTS(bfloat16, Bfloat16, int64, int64_t)
TENSORKV_CASTS(int8, int8_t, uint8, uint8_t)
TENSORKV_CASTS(int8, int8_t, int32, int32_t)
TENSORKV_CASTS(int8, int8_t, int64, int64_t)
TENSORKV_CASTS(uint8, uint8_t, int32, int32_t)
TENSORKV_CASTS(uint8, uint8_t, int64, int64_t)
TENSORKV_CASTS(int32, int32_t, int64, int64_t)

TENSORKV_KERNEL(copy) { CopyChunk(memory, table); }
TENSORKV_KERNEL(fill_1) { FillChunk<uint8_t>(memory, table); }
TENSORKV_KERNEL(fill_2) { FillChunk<uint16_t>(memory, table); }
TENSORKV_KERNEL(fill_4) { FillChunk<uint32_t>(memory, table); }
TENSORKV_KERNEL(fill_8) { FillChunk<uint64_t>(memory, table); }

}  // namespace tensorkv::TENSORKV_LEVEL
