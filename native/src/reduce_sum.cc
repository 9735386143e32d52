#include "reduce_sum.h"

#include <cstdint>

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {

template <typename T>
void ReduceSum(const void* const* inputs, size_t count, void* out, size_t length) {
  T* const sums = static_cast<T*>(out);
  if constexpr (kIsHalf<T>) {
    alignas(64) float tile[kTile];
    for (size_t begin = 0; begin < length; begin += kTile) {
      const size_t size = length - begin < kTile ? length - begin : kTile;
      SumTile<T>(inputs, count, begin, tile, size);
      NarrowAll(tile, sums + begin, size);
    }
  } else {
    ForEachGroup<T>(inputs, count, length,
                    [=](const Group<T>& group, size_t used, size_t begin, size_t size) {
                      SumGroup(group, used, sums + begin, size);
                    });
  }
}

template void ReduceSum<float>(const void* const*, size_t, void*, size_t);
template void ReduceSum<double>(const void* const*, size_t, void*, size_t);
template void ReduceSum<Half>(const void* const*, size_t, void*, size_t);
template void ReduceSum<Bfloat16>(const void* const*, size_t, void*, size_t);
template void ReduceSum<int8_t>(const void* const*, size_t, void*, size_t);
template void ReduceSum<uint8_t>(const void* const*, size_t, void*, size_t);
template void ReduceSum<int32_t>(const void* const*, size_t, void*, size_t);
template void ReduceSum<int64_t>(const void* const*, size_t, void*, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
