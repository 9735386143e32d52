#include "reduce_sum.h"

#include <cstdint>

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {

template <typename T>
void ReduceSum(const void* const* inputs, size_t count, void* out, size_t length) {
  T* const sums = static_cast<T*>(out);
  if (count <= kGroup) {
    SumRange<T>(inputs, count, 0, sums, length, nullptr);
    return;
  }
  constexpr size_t kTile = kTileBytes / sizeof(T);
  alignas(64) T tile[kTile];
  for (size_t begin = 0; begin < length; begin += kTile) {
    const size_t left = length - begin;
    SumRange(inputs, count, begin, sums + begin, left < kTile ? left : kTile, tile);
  }
}

template void ReduceSum<float>(const void* const*, size_t, void*, size_t);
template void ReduceSum<double>(const void* const*, size_t, void*, size_t);
template void ReduceSum<int32_t>(const void* const*, size_t, void*, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
