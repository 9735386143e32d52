#pragma once

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "../check.h"
#include "cuda/plan.h"
#include "emulator.h"

namespace tensorkv::test {

inline cuda::Operation Of(cuda::Code code, Dtype dtype, size_t length) {
  cuda::Operation operation{};
  operation.code = code;
  operation.dtype = dtype;
  operation.length = length;
  return operation;
}

// Memory as a GPU gives it: of any size, and aligned.
class PlanMemory {
 public:
  explicit PlanMemory(size_t bytes)
      : bytes_(bytes), data_(::operator new(bytes, std::align_val_t{256})) {
    std::memset(data_, 0xa5, bytes);
  }
  PlanMemory(const PlanMemory&) = delete;
  PlanMemory& operator=(const PlanMemory&) = delete;
  ~PlanMemory() { ::operator delete(data_, bytes_, std::align_val_t{256}); }
  void* data() { return data_; }

 private:
  size_t bytes_;
  void* data_;
};

// Plans the operations and runs them on ordinary memory. Gives how many launches that took.
inline size_t RunPlan(std::span<const cuda::Operation> operations) {
  const cuda::Plan plan = cuda::PlanOf(operations);
  PlanMemory memory(std::max<size_t>(1, plan.table.size() + plan.temporary_bytes));
  if (!plan.table.empty()) std::memcpy(memory.data(), plan.table.data(), plan.table.size());
  for (const cuda::Launch& launch : plan.launches) {
    CHECK(cuda::EmulateKernel(launch.kernel, launch.blocks, launch.threads, memory.data(),
                              launch.table_offset));
  }
  return plan.launches.size();
}

}  // namespace tensorkv::test
