#include "cast.h"

#include <cstdint>
#include <cstring>

#include "convert.h"
#include "sum.h"

namespace tensorkv::TENSORKV_LEVEL {

template <typename From, typename To>
void Cast(const void* source, void* out, size_t length) {
  const From* const from = static_cast<const From*>(source);
  To* const to = static_cast<To*>(out);
  if constexpr (std::is_same_v<From, To>) {
    if (out != source && length > 0) memcpy(out, source, length * sizeof(To));
  } else if constexpr (kIsHalf<From> && std::is_same_v<To, float>) {
    WidenAll(from, to, length);
  } else if constexpr (kIsHalf<To> && std::is_same_v<From, float>) {
    NarrowAll(from, to, length);
  } else {
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) to[i] = Convert<To>(from[i]);
  }
}

#define TENSORKV_CAST_FROM(From)                                  \
  template void Cast<From, float>(const void*, void*, size_t);    \
  template void Cast<From, double>(const void*, void*, size_t);   \
  template void Cast<From, Half>(const void*, void*, size_t);     \
  template void Cast<From, Bfloat16>(const void*, void*, size_t); \
  template void Cast<From, int8_t>(const void*, void*, size_t);   \
  template void Cast<From, uint8_t>(const void*, void*, size_t);  \
  template void Cast<From, int32_t>(const void*, void*, size_t);  \
  template void Cast<From, int64_t>(const void*, void*, size_t);

TENSORKV_CAST_FROM(float)
TENSORKV_CAST_FROM(double)
TENSORKV_CAST_FROM(Half)
TENSORKV_CAST_FROM(Bfloat16)
TENSORKV_CAST_FROM(int8_t)
TENSORKV_CAST_FROM(uint8_t)
TENSORKV_CAST_FROM(int32_t)
TENSORKV_CAST_FROM(int64_t)

}  // namespace tensorkv::TENSORKV_LEVEL
