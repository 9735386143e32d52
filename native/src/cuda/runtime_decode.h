#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "operations.h"
#include "runtime_state.h"

namespace tensorkv::cuda {

// An allocation that operations use, where it lay when they were decoded.
struct Use {
  std::shared_ptr<Allocation> allocation;
  Address address;
  bool writes;
};

struct Decoded {
  std::vector<Operation> operations;
  std::vector<Use> uses;  // one an allocation
};

// Throws what `Environment::FindOne` throws.
using FindAllocation = std::function<std::shared_ptr<Allocation>(uint64_t id)>;

// The operations that `words` stand for, see native/cuda/operations.ts. Throws `bad_argument` for
// what would reach memory outside of the allocations on `device`, and for ranges that overlap where
// native/types.ts forbids it. Where a range ends, only the device knows in some cases: what `rows`
// chooses from, and pieces of rows.
Decoded Decode(std::span<const double> words, size_t count, const Device& device,
               const FindAllocation& find);

}  // namespace tensorkv::cuda
