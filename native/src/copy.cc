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

// From here on several outs are written side by side: each line of the source is read once for
// them, which then took 0.75 of the time of one out after the other.
constexpr size_t kSideBySideBytes = 2048;

// A line of a cache, in as many registers as it takes.
typedef float Line __attribute__((vector_size(64), aligned(1), may_alias));

template <size_t kOuts>
void CopyLines(const char* source, char* const* outs, size_t bytes) {
  const size_t whole = bytes - bytes % sizeof(Line);
  for (size_t at = 0; at < whole; at += sizeof(Line)) {
    const Line line = *reinterpret_cast<const Line*>(source + at);
    for (size_t k = 0; k < kOuts; ++k) *reinterpret_cast<Line*>(outs[k] + at) = line;
  }
  for (size_t k = 0; k < kOuts; ++k) memcpy(outs[k] + whole, source + whole, bytes - whole);
}

// Writes outs of which no two share only some of their bytes.
void CopySideBySide(const char* source, char* const* outs, size_t count, size_t bytes) {
  for (; count >= 4; count -= 4, outs += 4) CopyLines<4>(source, outs, bytes);
  for (; count >= 2; count -= 2, outs += 2) CopyLines<2>(source, outs, bytes);
  if (count == 1) memcpy(*outs, source, bytes);
}

// Copies `bytes` bytes from `offset` on to every out.
void CopyTile(const void* source, void* const* outs, size_t count, size_t offset, size_t bytes,
              bool streams, bool shares) {
  constexpr size_t kGroup = 16;
  const char* const from = static_cast<const char*>(source) + offset;
  const bool waits = !streams && !shares && bytes >= kSideBySideBytes;
  char* group[kGroup];
  size_t size = 0;
  for (size_t k = 0; k < count; ++k) {
    if (outs[k] == source) continue;
    char* const out = static_cast<char*>(outs[k]) + offset;
    if (streams) {
      StreamCopy(out, from, bytes);
    } else if (!waits) {
      memcpy(out, from, bytes);
    } else {
      group[size++] = out;
    }
    if (size < kGroup) continue;
    CopySideBySide(from, group, size, bytes);
    size = 0;
  }
  CopySideBySide(from, group, size, bytes);
}

}  // namespace

void CopyPiece(const void* source, void* const* outs, size_t count, size_t bytes, bool streams) {
  const bool shares = !streams && bytes >= kSideBySideBytes && ShareBytes(outs, count, bytes);
  CopyTile(source, outs, count, 0, bytes, streams, shares);
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
  const bool shares = ShareBytes(outs, count, bytes);
  const size_t tile = count == 1 || shares ? bytes : kTileBytes;
  const bool streams = count > 1 && bytes >= kStreamBytes / count;
  for (size_t begin = 0; begin < bytes; begin += tile) {
    const size_t left = bytes - begin;
    CopyTile(source, outs, count, begin, left < tile ? left : tile, streams, shares);
  }
  if (streams) FinishStreams();
}

}  // namespace tensorkv::TENSORKV_LEVEL
