#include "copy.h"

#include <cstring>

namespace tensorkv::TENSORKV_LEVEL {

void Copy(const void* source, void* const* outs, size_t count, size_t bytes) {
  // One out in one piece: memcpy knows best what to do with a large range.
  const size_t tile = count == 1 ? bytes : kTileBytes;
  const char* const from = static_cast<const char*>(source);
  for (size_t begin = 0; begin < bytes; begin += tile) {
    const size_t left = bytes - begin;
    for (size_t k = 0; k < count; ++k) {
      if (outs[k] == source) continue;
      memcpy(static_cast<char*>(outs[k]) + begin, from + begin, left < tile ? left : tile);
    }
  }
}

}  // namespace tensorkv::TENSORKV_LEVEL
