#pragma once

#include <cstddef>
#include <cstdint>

#include "level.h"
#include "row_lists.h"

namespace tensorkv::TENSORKV_LEVEL {

// Writes every id of the lists once, ascending, to `out`, which has room for all of them and
// overlaps none. Returns how many.
size_t UnionIds(IdList* lists, size_t count, int64_t* out);

// Row j of the out rows becomes the sum of the rows that the inputs have for id out_ids[j], added
// in list order as `sum` does; zeros where none has. Rows of other ids are left out.
void SumRows(const RowSum& args);

// Row i of `out` becomes row positions[i] of `source`; zeros for -1. No overlap.
void GatherRows(const char* source, const int64_t* positions, size_t count, char* out,
                size_t row_bytes);

// Row positions[i] of `target` becomes row i of `source`. Positions are distinct; no overlap.
void ScatterRows(const char* source, const int64_t* positions, size_t count, char* target,
                 size_t row_bytes);

// out[i] becomes the slot of ids[i], -1 where it is absent. Returns how many are absent.
size_t FindRows(const RowTable& table, const int64_t* ids, size_t count, int64_t* out);

}  // namespace tensorkv::TENSORKV_LEVEL
