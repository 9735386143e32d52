#pragma once

#include <cstdint>

// Where keys and tensors are.
namespace tensorkv::engine {

// In place of the number of a CUDA device.
constexpr int kOnCpu = -1;

// A tensor on a device: `offset` bytes into allocation number `id`. It stands where an address
// would, is never followed, and no address of the CPU is like it.
class RemotePlace {
 public:
  static constexpr uint64_t kMostId = (uint64_t{1} << 23) - 1;
  static constexpr uint64_t kMostOffset = (uint64_t{1} << 40) - 1;

  RemotePlace(uint64_t id, uint64_t offset) : word_(kMark | id << kOffsetBits | offset) {}
  explicit RemotePlace(const void* place) : word_(reinterpret_cast<uint64_t>(place)) {}

  // NOLINTNEXTLINE(performance-no-int-to-ptr): nobody follows it.
  void* place() const { return reinterpret_cast<void*>(word_); }
  uint64_t id() const { return (word_ & ~kMark) >> kOffsetBits; }
  uint64_t offset() const { return word_ & kMostOffset; }

 private:
  static constexpr int kOffsetBits = 40;
  static constexpr uint64_t kMark = uint64_t{1} << 63;
  uint64_t word_;
};

}  // namespace tensorkv::engine
