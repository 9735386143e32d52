#include "reduce_sum.h"

#include <cstdint>

#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {

template <typename T>
void ReduceSum(const void* const* inputs, size_t count, void* out, size_t length) {
  ForEachGroup<T>(inputs, count, length,
                  [=](const Group<T>& group, size_t used, size_t begin, size_t size) {
                    SumGroup(group, used, static_cast<T*>(out) + begin, size);
                  });
}

template void ReduceSum<float>(const void* const*, size_t, void*, size_t);
template void ReduceSum<double>(const void* const*, size_t, void*, size_t);
template void ReduceSum<int32_t>(const void* const*, size_t, void*, size_t);

}  // namespace tensorkv::TENSORKV_LEVEL
