#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver.h"
#include "failure.h"
#include "mailbox.h"

namespace tensorkv::cuda {

struct Allocation;
struct Prepared;
struct Device;
struct Point;
class Lane;

struct DeviceInfo {
  std::string name;
  int major, minor, processors;
  size_t total_bytes, free_bytes;
  std::string uuid;
};

struct ArrayInfo {
  int device;
  size_t bytes;
  Address address;
};

struct NcclInfo {
  std::string version;  // such as "2.27.3"; empty: there is none
  std::string reason;   // why it is not used, one sentence; empty: it is
};

// Why CUDA cannot be used here, one sentence; empty where it can: on one device at least.
std::string MissingReason();
// Why one of the devices cannot be used.
std::string MissingReason(int device);
int DriverVersion();
int DeviceCount();
DeviceInfo InfoOfDevice(int device);
NcclInfo InfoOfNccl();

// What one thread of JavaScript does on devices; native/cuda/addon-cuda.ts says what each call
// does. Each throws a `Failure`. Used by one thread at a time.
class Environment {
 public:
  // `ring` is called by any thread when a note has arrived, never once `End` has returned.
  explicit Environment(std::function<void()> ring);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment();
  // Lets go of all that it holds; what it has queued goes on. Waits for nothing.
  void End();

  uint64_t Allocate(int device, size_t bytes);
  void Retain(uint64_t id);
  void Release(uint64_t id);
  ArrayInfo InfoOf(uint64_t id);

  void Upload(const void* source, size_t bytes, uint64_t id, size_t offset);
  void Download(uint64_t id, size_t offset, void* out, size_t bytes);
  // Each gives the number of a note that will arrive.
  uint64_t DownloadAsync(uint64_t id, size_t offset, size_t bytes);
  uint64_t WhenReady(uint64_t id);
  std::vector<Arrival> TakeArrivals() { return mailbox_->Take(); }
  void Copy(uint64_t from, size_t from_offset, uint64_t to, size_t to_offset, size_t bytes);
  // Where a copy goes to.
  struct Place {
    uint64_t id;
    size_t offset;
  };
  void Broadcast(uint64_t from, size_t from_offset, std::span<const Place> outs, size_t bytes);
  void Synchronize(int device);

  void Run(int device, std::span<const double> words, size_t count);
  // The same operations, to be carried out again and again; rules of single elements alone.
  std::shared_ptr<Prepared> Prepare(int device, std::span<const double> words, size_t count);
  // `hyper`: of each step among them, in order. Waits for no device. False: nothing was done, for
  // it would wait, or they have to be prepared anew.
  bool Run(Prepared& prepared, std::span<const std::span<const double>> hyper);

  IpcHandle Export(uint64_t id);
  uint64_t Import(int device, const IpcHandle& handle, size_t bytes);
  size_t LoadModule(int device, std::span<const std::byte> image);
  size_t KernelNamed(size_t module, const std::string& name);
  struct LaunchShape {
    std::array<unsigned, 3> grid, block;
    unsigned shared_bytes;
  };
  void Launch(size_t kernel, const LaunchShape& shape, std::span<const double> arguments);

 private:
  friend class Lane;
  struct Held {
    std::shared_ptr<Allocation> allocation;
    size_t count;
  };

  std::shared_ptr<Allocation> FindOne(uint64_t id);
  Lane& LaneOn(int device);
  uint64_t AllocateNow(Lane& lane, size_t bytes);
  void RunNow(Lane& lane, std::span<const double> words, size_t count);
  static Block TakeBlock(Lane& lane, size_t bytes);
  static Point QueueDownload(Lane& lane, Allocation* from, size_t offset, size_t bytes, char* to);
  uint64_t Hold(std::shared_ptr<Allocation> allocation);

  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, Held> held_;
  std::unordered_map<int, std::unique_ptr<Lane>> lanes_;
  uint64_t last_note_ = 0;
  bool has_ended_ = false;
};

// PTX of CUDA C++, by NVRTC. Throws `cuda_unavailable` where it is not installed.
std::string CompileCuda(const std::string& source, std::span<const std::string> options);

}  // namespace tensorkv::cuda
