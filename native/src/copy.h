#pragma once

#include <cstddef>

#include "level.h"

namespace tensorkv::TENSORKV_LEVEL {

// Copies `bytes` bytes of `source` to every out, reading `source` from memory once. Each out is
// disjoint from `source` or the very same array.
void Copy(const void* source, void* const* outs, size_t count, size_t bytes);

// The same of a piece that is small enough for L1. `streams`: with stores past the caches, for outs
// that do not fit into them; other threads see these once FinishStreams has returned.
void CopyPiece(const void* source, void* const* outs, size_t count, size_t bytes, bool streams);
void FinishStreams();

}  // namespace tensorkv::TENSORKV_LEVEL
