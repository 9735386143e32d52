#pragma once

#include "../element.h"
#include "table.h"

// What all kernels share: where a block finds its work, and how it moves elements. The tests
// compile it as plain C++, see native/test/cuda/shim.h.
#if defined(__CUDACC__)
#define TENSORKV_KERNEL(name)                          \
  extern "C" __global__ void __launch_bounds__(256, 2) \
      tensorkv_##name(char* memory, unsigned long long table)
// One that has barriers or shuffles.
#define TENSORKV_MEETING_KERNEL(name) TENSORKV_KERNEL(name)
#define TENSORKV_UNROLLED _Pragma("unroll")
#define TENSORKV_UNROLLED_BY_FOUR _Pragma("unroll 4")
// Unrolled by the compiler's own choice, such loops need more registers than there are.
#define TENSORKV_ROLLED _Pragma("unroll 1")
#else
#define TENSORKV_ROLLED
#define TENSORKV_UNROLLED
#define TENSORKV_UNROLLED_BY_FOUR
#endif

namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::Chunk;

// A number that is known when it is compiled.
template <uint32_t kValue>
struct Width {
  static constexpr uint32_t value = kValue;
};

__device__ inline Chunk ChunkOf(const char* memory, uint64_t table) {
  return reinterpret_cast<const Chunk*>(memory + table)[blockIdx.x];
}

template <typename Item>
__device__ inline const Item& ItemOf(const char* memory, const Chunk& chunk) {
  return *reinterpret_cast<const Item*>(memory + uint64_t{chunk.item} * 8);
}

// An address of a table.
template <typename T>
__device__ inline T* Pointer(char* memory, uint64_t address) {
  // No branch: that would be one more for each load of a loop.
  const uint64_t base = reinterpret_cast<uint64_t>(memory) & (0 - (address >> 63));
  const uint64_t at = (address & ~cuda::kInMemory) + base;
#if defined(__CUDA_ARCH__)
  return static_cast<T*>(__cvta_global_to_generic(at));  // So that loads are those of global memory.
#else
  return reinterpret_cast<T*>(at);
#endif
}

// A condition that is the same in all turns of a loop. The compiler is not to know: it would make a
// loop for either case, which takes twice as long to compile.
__device__ inline bool Asked(bool condition) {
#if defined(__CUDA_ARCH__)
  uint32_t bit = condition ? 1 : 0;
  asm volatile("" : "+r"(bit));
  return bit != 0;
#else
  return condition;
#endif
}

// The arrays of an item.
struct Lists {
  char* memory;
  const uint64_t* inputs;
  const uint64_t* outs;
  uint32_t input_count, out_count;

  template <typename T>
  __device__ const T* Input(uint32_t k) const {
    return Pointer<const T>(memory, inputs[k]);
  }
  template <typename T>
  __device__ T* Out(uint32_t k) const {
    return Pointer<T>(memory, outs[k]);
  }
};

template <typename Item>
__device__ inline Lists ListsOf(char* memory, const Item& item) {
  const uint64_t* const begin = reinterpret_cast<const uint64_t*>(&item + 1);
  return {memory, begin, begin + item.inputs, item.inputs, item.outs};
}

// Elements that are moved with one instruction, or with two where they fill more than 16 bytes.
template <typename T, uint32_t kCount>
struct alignas(kCount * sizeof(T) < 16 ? kCount * sizeof(T) : 16) Pack {
  T x[kCount];
};

template <uint32_t kCount, typename T>
__device__ inline Pack<T, kCount> Load(const T* from) {
#if !defined(__CUDACC__)
  CheckAligned(from, alignof(Pack<T, kCount>));
#endif
  return *reinterpret_cast<const Pack<T, kCount>*>(from);
}

template <typename T, uint32_t kCount>
__device__ inline void Store(T* to, const Pack<T, kCount>& pack) {
#if !defined(__CUDACC__)
  CheckAligned(to, alignof(Pack<T, kCount>));
#endif
  *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
}

// Calls body(width, position) for elements of a chunk: kCount at a time, or one where that does not
// fit.
template <uint32_t kCount, typename Body>
__device__ inline void ForEach(const Chunk& chunk, bool wide, Body body) {
  const uint32_t whole = wide && kCount > 1 ? chunk.length / kCount * kCount : 0;
  if constexpr (kCount > 1) {
    TENSORKV_ROLLED
    for (uint32_t i = threadIdx.x * kCount; i < whole; i += blockDim.x * kCount) {
      body(Width<kCount>(), chunk.begin + i);
    }
  }
  TENSORKV_ROLLED
  for (uint32_t i = whole + threadIdx.x; i < chunk.length; i += blockDim.x) {
    body(Width<1>(), chunk.begin + i);
  }
}

// What of rows a chunk is: part of one, or several whole ones. An array is one row.
struct RowsOf {
  uint64_t first;
  uint64_t begin;
  uint32_t count, length;
};

__device__ inline RowsOf RowsIn(const Chunk& chunk, uint64_t row_length) {
  if (row_length == 0) return {0, chunk.begin, 1, chunk.length};
  const uint64_t first = chunk.begin / row_length;
  if (chunk.length <= row_length) return {first, chunk.begin - first * row_length, 1, chunk.length};
  const auto length = static_cast<uint32_t>(row_length);
  return {first, 0, chunk.length / length, length};
}

// What a thread works on at once: as many elements as it can move together, or the first alone.
struct Spot {
  uint32_t first;
  bool is_whole;
};

// Calls body(row of the chunk, spot) for kCount elements or one, each row by 2^lanes_log2 threads.
// There is one body: code for single elements beside it would take as long to compile again.
template <uint32_t kCount, typename Body>
__device__ inline void ForEachSpot(const RowsOf& part, uint32_t lanes_log2, bool wide, Body body) {
  const uint32_t lane = threadIdx.x & ((1u << lanes_log2) - 1);
  const uint32_t packs = wide || kCount == 1 ? part.length / kCount : 0;
  const uint32_t spots = packs + part.length - packs * kCount;
  TENSORKV_ROLLED
  for (uint32_t row = threadIdx.x >> lanes_log2; row < part.count;
       row += blockDim.x >> lanes_log2) {
    TENSORKV_ROLLED
    for (uint32_t i = lane; i < spots; i += 1u << lanes_log2) {
      const bool is_whole = i < packs;
      body(row, Spot{is_whole ? i * kCount : i + packs * (kCount - 1), is_whole});
    }
  }
}

template <uint32_t kCount, typename T>
__device__ inline Pack<T, kCount> Load(const T* from, const Spot& spot) {
  if (kCount == 1 || spot.is_whole) return Load<kCount>(from);
  Pack<T, kCount> out = {};
  out.x[0] = *from;
  return out;
}

template <typename T, uint32_t kCount>
__device__ inline void Store(T* to, const Pack<T, kCount>& pack, const Spot& spot) {
  if (kCount == 1 || spot.is_whole) return Store(to, pack);
  *to = pack.x[0];
}

// Calls body(width, row of the chunk, position in its part), each row by 2^lanes_log2 threads.
template <uint32_t kCount, typename Body>
__device__ inline void ForEachOfRows(const RowsOf& part, uint32_t lanes_log2, bool wide,
                                     Body body) {
  const uint32_t lane = threadIdx.x & ((1u << lanes_log2) - 1);
  const uint32_t whole = wide && kCount > 1 ? part.length / kCount * kCount : 0;
  TENSORKV_ROLLED
  for (uint32_t row = threadIdx.x >> lanes_log2; row < part.count;
       row += blockDim.x >> lanes_log2) {
    if constexpr (kCount > 1) {
      TENSORKV_ROLLED
      for (uint32_t i = lane * kCount; i < whole; i += kCount << lanes_log2) {
        body(Width<kCount>(), row, i);
      }
    }
    TENSORKV_ROLLED
    for (uint32_t i = whole + lane; i < part.length; i += 1u << lanes_log2)
      body(Width<1>(), row, i);
  }
}

// How a dtype is computed with.
template <typename T>
__device__ inline Compute<T> Widened(T x) {
  if constexpr (kIsHalf<T>) {
    return Widen(x);
  } else {
    return x;
  }
}

template <typename T>
__device__ inline T Narrowed(Compute<T> x) {
  if constexpr (kIsHalf<T>) {
    T out;
    Narrow(x, out);
    return out;
  } else {
    return x;
  }
}

template <typename T, uint32_t kCount>
__device__ inline Pack<Compute<T>, kCount> Widened(const Pack<T, kCount>& pack) {
  Pack<Compute<T>, kCount> out;
  TENSORKV_UNROLLED
  for (uint32_t k = 0; k < kCount; ++k) out.x[k] = Widened<T>(pack.x[k]);
  return out;
}

template <typename T, uint32_t kCount>
__device__ inline Pack<T, kCount> Narrowed(const Pack<Compute<T>, kCount>& pack) {
  Pack<T, kCount> out;
  TENSORKV_UNROLLED
  for (uint32_t k = 0; k < kCount; ++k) out.x[k] = Narrowed<T>(pack.x[k]);
  return out;
}

template <typename T, uint32_t kCount>
__device__ inline Pack<Compute<T>, kCount> LoadWide(const T* from) {
  return Widened<T>(Load<kCount>(from));
}

// The sum of the inputs at `at`, in their order; kAtOnce (1, 2 or 4) of them are loaded at a time.
template <typename T, uint32_t kCount, uint32_t kAtOnce>
__device__ inline Pack<Compute<T>, kCount> SumAt(const Lists& lists, uint64_t at) {
  Pack<Compute<T>, kCount> sum = LoadWide<T, kCount>(lists.Input<T>(0) + at);
  const auto add = [&](uint32_t k) {
    const Pack<Compute<T>, kCount> more = LoadWide<T, kCount>(lists.Input<T>(k) + at);
    TENSORKV_UNROLLED
    for (uint32_t x = 0; x < kCount; ++x) sum.x[x] = Add(sum.x[x], more.x[x]);
  };
  const auto add_some = [&](uint32_t k, auto width) {
    TENSORKV_UNROLLED
    for (uint32_t j = 0; j < decltype(width)::value; ++j) add(k + j);
  };
  uint32_t k = 1;
  TENSORKV_ROLLED
  for (; k + kAtOnce <= lists.input_count; k += kAtOnce) add_some(k, Width<kAtOnce>());
  if constexpr (kAtOnce == 4) {
    if (k + 2 <= lists.input_count) {
      add_some(k, Width<2>());
      k += 2;
    }
  }
  if constexpr (kAtOnce > 1) {
    if (k < lists.input_count) add(k);
  }
  return sum;
}

// Into every out, rounded.
template <typename T, uint32_t kCount>
__device__ inline void StoreAll(const Lists& lists, uint64_t at,
                                const Pack<Compute<T>, kCount>& values) {
  const Pack<T, kCount> out = Narrowed<T>(values);
  TENSORKV_ROLLED
  for (uint32_t k = 0; k < lists.out_count; ++k) Store(lists.Out<T>(k) + at, out);
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL

// Kernels of every dtype: Each(name, type).
#define TENSORKV_EACH_DTYPE(Each)                                                         \
  Each(float32, float) Each(float64, double) Each(float16, Half) Each(bfloat16, Bfloat16) \
      Each(int8, int8_t) Each(uint8, uint8_t) Each(int32, int32_t) Each(int64, int64_t)
#define TENSORKV_EACH_FLOAT(Each) \
  Each(float32, float) Each(float64, double) Each(float16, Half) Each(bfloat16, Bfloat16)
// What floats are computed in.
#define TENSORKV_EACH_COMPUTED(Each) Each(float32, float) Each(float64, double)
