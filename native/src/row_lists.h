#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorkv {

// Ascending unique ids below 2^63 - 1, and how far a kernel has read them.
struct IdList {
  const int64_t* next;
  const int64_t* end;
};

// The rows that one list of ids names, in its order.
struct RowInput {
  IdList ids;
  const char* rows;
};

// What SumRows works on.
struct RowSum {
  RowInput* inputs;  // read to their ends
  size_t count;
  const int64_t* out_ids;  // ascending, unique
  size_t out_count;
  char* out_rows;
  size_t row_length;  // in elements
  size_t row_bytes;
  // The sum of arrays of the dtype: KernelTable::reduce_sum.
  void (*sum)(const void* const* inputs, size_t count, void* out, size_t length);
  const void** matching;  // room for `count` addresses
};

// The table of an index of rows (src/core/row-index.ts): slot + 1, or 0 where it is empty.
struct RowTable {
  const int32_t* slots;
  size_t length;           // a power of two
  const int64_t* present;  // the ids by slot
  size_t size;
};

}  // namespace tensorkv
