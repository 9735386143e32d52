#include "copy.h"

#include <cstdint>
#include <cstring>

#include "overlap.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// Stays in L1 while it is written to every out.
constexpr size_t kTileBytes = 8192;

// From here on the outs do not fit into the caches, so that fetching their old lines is wasted.
// Stores past the cache then took 0.5 to 0.7 of the time; below 4 MiB they took longer.
constexpr size_t kStreamBytes = size_t{16} << 20;

// memcpy with stores past the cache, where the machine has them.
void StreamCopy(char* out, const char* source, size_t bytes) {
#ifdef __SSE2__
  constexpr size_t kLine = 64;
  const size_t to_line = (kLine - reinterpret_cast<uintptr_t>(out) % kLine) % kLine;
  size_t done = to_line < bytes ? to_line : bytes;
  memcpy(out, source, done);
  for (; bytes - done >= kLine; done += kLine) {
    const __m128i* const from = reinterpret_cast<const __m128i*>(source + done);
    __m128i* const to = reinterpret_cast<__m128i*>(out + done);
    const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
    const __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
    _mm_stream_si128(to, a);
    _mm_stream_si128(to + 1, b);
    _mm_stream_si128(to + 2, c);
    _mm_stream_si128(to + 3, d);
  }
  memcpy(out + done, source + done, bytes - done);
#else
  memcpy(out, source, bytes);
#endif
}

}  // namespace

void CopyPiece(const void* source, void* const* outs, size_t count, size_t bytes, bool streams) {
  for (size_t k = 0; k < count; ++k) {
    if (outs[k] == source) continue;
    if (streams) {
      StreamCopy(static_cast<char*>(outs[k]), static_cast<const char*>(source), bytes);
    } else {
      memcpy(outs[k], source, bytes);
    }
  }
}

// Such stores are ordered with nothing else: whoever learns of the copy must see all of it.
void FinishStreams() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

void Copy(const void* source, void* const* outs, size_t count, size_t bytes) {
  // One out in one piece: memcpy itself knows what to do with a large range. Outs that share bytes
  // are each written whole, in order.
  const size_t tile = count == 1 || ShareBytes(outs, count, bytes) ? bytes : kTileBytes;
  const bool streams = count > 1 && bytes >= kStreamBytes / count;
  const char* const from = static_cast<const char*>(source);
  for (size_t begin = 0; begin < bytes; begin += tile) {
    const size_t left = bytes - begin;
    const size_t size = left < tile ? left : tile;
    for (size_t k = 0; k < count; ++k) {
      if (outs[k] == source) continue;
      char* const piece = static_cast<char*>(outs[k]) + begin;
      if (streams) {
        StreamCopy(piece, from + begin, size);
      } else {
        memcpy(piece, from + begin, size);
      }
    }
  }
  if (streams) FinishStreams();
}

}  // namespace tensorkv::TENSORKV_LEVEL
