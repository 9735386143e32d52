#include "rows.h"

#include <cstring>

namespace tensorkv::TENSORKV_LEVEL {
namespace {

// Above every id: what a list that has ended offers.
constexpr int64_t kEnded = INT64_MAX;

inline int64_t HeadOf(const IdList& list) { return list.next < list.end ? *list.next : kEnded; }

inline int64_t Lesser(int64_t a, int64_t b) { return a < b ? a : b; }

// The first place of the list whose id is not below `id`.
const int64_t* LowerBound(const IdList& list, int64_t id) {
  const int64_t* begin = list.next;
  size_t length = static_cast<size_t>(list.end - begin);
  while (length > 0) {
    const size_t half = length / 2;
    const bool below = begin[half] < id;
    begin = below ? begin + half + 1 : begin;
    length = below ? length - half - 1 : half;
  }
  return begin;
}

// The finalizer of MurmurHash3: src/core/row-index.ts fills its tables by the same.
inline uint32_t Hash(int64_t id) {
  const uint64_t bits = static_cast<uint64_t>(id);
  uint32_t x = static_cast<uint32_t>(bits) ^ (static_cast<uint32_t>(bits >> 32) * 0x9e3779b1u);
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

}  // namespace

// Looks at every list for every id: up to some dozens of lists that is faster than a heap, whose
// branches nothing predicts.
size_t UnionIds(IdList* lists, size_t count, int64_t* out) {
  int64_t least = kEnded;
  for (size_t k = 0; k < count; ++k) least = Lesser(least, HeadOf(lists[k]));
  size_t written = 0;
  while (least != kEnded) {
    out[written++] = least;
    int64_t following = kEnded;
    for (size_t k = 0; k < count; ++k) {
      lists[k].next += HeadOf(lists[k]) == least;
      following = Lesser(following, HeadOf(lists[k]));
    }
    least = following;
  }
  return written;
}

void SumRows(const RowSum& args) {
  if (args.out_count == 0 || args.row_bytes == 0) return;
  for (size_t k = 0; k < args.count; ++k) {
    RowInput& input = args.inputs[k];
    const int64_t* const first = LowerBound(input.ids, args.out_ids[0]);
    input.rows += static_cast<size_t>(first - input.ids.next) * args.row_bytes;
    input.ids.next = first;
  }
  char* out = args.out_rows;
  for (size_t j = 0; j < args.out_count; ++j, out += args.row_bytes) {
    const int64_t id = args.out_ids[j];
    size_t matching = 0;
    for (size_t k = 0; k < args.count; ++k) {
      RowInput& input = args.inputs[k];
      for (; input.ids.next < input.ids.end && *input.ids.next < id; ++input.ids.next)
        input.rows += args.row_bytes;
      if (input.ids.next < input.ids.end && *input.ids.next == id) {
        args.matching[matching++] = input.rows;
      }
    }
    if (matching == 0) {
      memset(out, 0, args.row_bytes);
    } else {
      args.sum(args.matching, matching, out, args.row_length);
    }
  }
}

void GatherRows(const char* source, const int64_t* positions, size_t count, char* out,
                size_t row_bytes) {
  if (row_bytes == 0) return;
  for (size_t i = 0; i < count; ++i, out += row_bytes) {
    if (positions[i] < 0) {
      memset(out, 0, row_bytes);
    } else {
      memcpy(out, source + static_cast<size_t>(positions[i]) * row_bytes, row_bytes);
    }
  }
}

void ScatterRows(const char* source, const int64_t* positions, size_t count, char* target,
                 size_t row_bytes) {
  if (row_bytes == 0) return;
  for (size_t i = 0; i < count; ++i, source += row_bytes)
    memcpy(target + static_cast<size_t>(positions[i]) * row_bytes, source, row_bytes);
}

size_t FindRows(const RowTable& table, const int64_t* ids, size_t count, int64_t* out) {
  const size_t mask = table.length - 1;
  size_t absent = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t id = ids[i];
    int64_t slot = -1;
    size_t at = Hash(id) & mask;
    for (size_t tried = 0; tried < table.length; ++tried, at = (at + 1) & mask) {
      slot = int64_t{table.slots[at]} - 1;
      // One comparison for an empty place and for a slot that cannot be.
      if (static_cast<uint64_t>(slot) >= table.size || table.present[slot] == id) break;
    }
    absent += slot < 0;
    out[i] = slot;
  }
  return absent;
}

}  // namespace tensorkv::TENSORKV_LEVEL
