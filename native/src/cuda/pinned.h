#pragma once

#include <cstddef>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "driver.h"

namespace tensorkv::cuda {

class PinnedPool;

// Memory of the host that the driver copies from and to. Goes back to its pool, without a call of
// the driver: any thread may let go of it.
class Block {
 public:
  Block() = default;
  Block(PinnedPool* pool, char* data, size_t capacity)
      : pool_(pool), data_(data), capacity_(capacity) {}
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  // It is never used again.
  void Leak() { data_ = nullptr; }
  char* data() const { return data_; }
  size_t capacity() const { return capacity_; }

 private:
  PinnedPool* pool_ = nullptr;
  char* data_ = nullptr;
  size_t capacity_ = 0;
};

class PinnedPool {
 public:
  // A block of at least `bytes` bytes, with anything in it. A context has to be current. Throws
  // `memory_limit`.
  Block Take(const Driver& driver, size_t bytes);
  // While it is held, no memory is made or freed in a way that may wait for devices.
  std::unique_lock<std::shared_mutex> Quiet() { return std::unique_lock(calls_); }
  // Who makes such a call holds this.
  std::shared_lock<std::shared_mutex> Calling() { return std::shared_lock(calls_); }

 private:
  friend class Block;
  struct Free {
    char* data;
    size_t capacity;
  };
  void Give(char* data, size_t capacity);
  void Trim(const Driver& driver, size_t most);

  std::shared_mutex calls_;  // of the driver
  std::mutex mutex_;
  std::vector<Free> free_;
  size_t free_bytes_ = 0;
};

}  // namespace tensorkv::cuda
