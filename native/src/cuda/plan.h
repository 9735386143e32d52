#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "operations.h"

namespace tensorkv::cuda {

// One launch of a kernel of kernels.cu. Each kernel takes the address of the plan's memory and
// where in it its own table begins.
struct Launch {
  const char* kernel;
  uint32_t blocks;
  uint32_t threads;  // a block
  uint64_t table_offset;
};

// Where the hyper-parameters of a step are in the table, in bytes. Neighbours that have the same
// share them.
struct HyperPlace {
  size_t operation;
  uint64_t at;
};

// Operations as launches, in order. Its memory on the device holds `table`, and behind it
// `temporary_bytes` that the launches use among themselves, with anything in them.
struct Plan {
  std::vector<std::byte> table;
  size_t temporary_bytes = 0;
  std::vector<Launch> launches;
  // Of all steps, in the order of the table.
  std::vector<HyperPlace> hypers;
};

// The same result as the operations one after the other. Neighbours that need nothing of each other
// and are of one kind (code, dtype, rule) become one launch.
Plan PlanOf(std::span<const Operation> operations);

}  // namespace tensorkv::cuda
