#include "pinned.h"

#include <algorithm>
#include <bit>
#include <string>

#include "failure.h"

namespace tensorkv::cuda {
namespace {

// What is kept for later use. Pinning 64 MiB takes some 20 ms.
constexpr size_t kMostFree = size_t{256} << 20;
constexpr size_t kSmallest = size_t{64} << 10;
constexpr size_t kStep = size_t{1} << 20;

size_t CapacityFor(size_t bytes) {
  if (bytes <= kStep) return std::bit_ceil(std::max(bytes, kSmallest));
  return (bytes + kStep - 1) / kStep * kStep;
}

}  // namespace

Block& Block::operator=(Block&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

Block::~Block() {
  if (data_ != nullptr) pool_->Give(data_, capacity_);
}

void PinnedPool::Give(char* data, size_t capacity) {
  const std::lock_guard lock(mutex_);
  free_.push_back({data, capacity});
  free_bytes_ += capacity;
}

Block PinnedPool::Take(const Driver& driver, size_t bytes) {
  Expect(bytes <= SIZE_MAX / 2, "Expected fewer bytes");
  const size_t capacity = CapacityFor(bytes);
  {
    const std::lock_guard lock(mutex_);
    auto best = free_.end();
    for (auto each = free_.begin(); each != free_.end(); ++each) {
      if (each->capacity < capacity || each->capacity > capacity + capacity / 4) continue;
      if (best == free_.end() || each->capacity < best->capacity) best = each;
    }
    if (best != free_.end()) {
      const Free found = *best;
      *best = free_.back();
      free_.pop_back();
      free_bytes_ -= found.capacity;
      return {this, found.data, found.capacity};
    }
  }
  const auto calling = Calling();
  Trim(driver, kMostFree);
  void* data = nullptr;
  Result result = driver.MemHostAlloc(&data, capacity, kHostPortable);
  if (result == kOutOfMemory) {
    Trim(driver, 0);
    result = driver.MemHostAlloc(&data, capacity, kHostPortable);
  }
  if (result != kSuccess) {
    throw Failure(result == kOutOfMemory ? FailureCode::kMemoryLimit : FailureCode::kUnavailable,
                  "Expected " + std::to_string(capacity) +
                      " bytes of pinned memory for a copy, cuMemHostAlloc failed with " +
                      driver.NameOf(result));
  }
  return {this, static_cast<char*>(data), capacity};
}

void PinnedPool::Trim(const Driver& driver, size_t most) {
  std::vector<Free> gone;
  {
    const std::lock_guard lock(mutex_);
    while (free_bytes_ > most) {
      gone.push_back(free_.back());
      free_bytes_ -= free_.back().capacity;
      free_.pop_back();
    }
  }
  for (const Free& each : gone) driver.MemFreeHost(each.data);
}

}  // namespace tensorkv::cuda
