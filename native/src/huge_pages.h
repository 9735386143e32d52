#pragma once

#include <cstddef>

namespace tensorkv {

// A huge page. Where the system has none of this size, nothing is gained and nothing lost.
constexpr size_t kHugePageBytes = size_t{2} << 20;

// Asks for huge pages under `bytes` bytes that start with the first one in the `room` bytes from
// `begin` on, which nobody has touched. Only whole ones, so that no memory is taken beside the
// bytes. Returns where that first one starts, from `begin`; 0 where `room` is too small.
size_t UseHugePages(void* begin, size_t room, size_t bytes);

}  // namespace tensorkv
