#include "huge_pages.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tensorkv {

size_t UseHugePages(void* begin, size_t room, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const size_t offset = (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
  if (room < bytes || offset > room - bytes) return 0;
#ifdef __linux__
  // Advice: where it is not taken, small pages serve as well.
  const size_t whole = bytes / kHugePageBytes * kHugePageBytes;
  if (whole > 0) madvise(static_cast<char*>(begin) + offset, whole, MADV_HUGEPAGE);
#endif
  return offset;
}

}  // namespace tensorkv
