#pragma once

// One array to several devices at once, by NCCL where it is installed. Only the runtime's own files
// use it.
//
// The kernels of a broadcast run on all its devices at once and wait for each other. So that none
// waits for one that cannot begin:
//
// - All broadcasts of the process, whoever asks for them, go to one stream a device, in the order
//   in which the lock was taken. That is the same order on all devices, as NCCL asks for, and two
//   communicators that share devices never have kernels that wait crosswise.
// - What a broadcast waits for was queued before it, and nothing that it needs is queued later.
// - Between the launches of one broadcast nobody makes a call that may wait for a device: the lock
//   is held, and nobody makes or frees pinned memory meanwhile.
//
// A device that is lost would leave the others waiting for good. A thread watches what has begun
// and frees them; those that lack what was on its way are lost too, so that nobody reads the half
// of an array.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "nccl_functions.h"
#include "runtime.h"
#include "runtime_state.h"

namespace tensorkv::cuda {

// Some bytes of an allocation.
struct Piece {
  std::shared_ptr<Allocation> allocation;
  size_t offset;

  Device* device() const { return allocation->device; }
  Address address() const { return allocation->address + offset; }
};

// Never destroyed, as `Process`: communicators live as long as the process.
class Broadcasts {
 public:
  static Broadcasts& Get();

  NcclInfo info();
  // Sends `bytes` bytes to pieces on other devices, each on another. What is queued on `streams`
  // later, one of each of these devices, comes after it. False: nothing was sent, and copies have
  // to. Throws as other work does. Without the lock.
  bool Send(const Piece& from, std::span<const Piece> to, size_t bytes,
            std::span<const std::shared_ptr<Stream>> streams);

 private:
  // Devices that broadcasts go to; the number of one among them is its rank.
  struct Communicator {
    std::vector<Device*> devices;
    std::vector<ncclComm*> ranks;
    std::vector<Point> last;  // the end of the last broadcast that was launched, a rank
    bool is_broken = false;   // One that was not launched by all may wait for good.
  };

  Broadcasts();
  Communicator* FindOrMake(const std::vector<Device*>& devices, std::unique_lock<std::mutex>* lock);
  NcclResult Make(Communicator* communicator) const;
  NcclResult Launch(const Communicator& communicator, std::span<const Piece* const> pieces,
                    size_t root, size_t bytes) const;
  void Failed(const char* call, NcclResult result);
  void Watch();
  std::vector<ncclComm*> Look();
  static bool IsOver(const Communicator& communicator, std::vector<ncclComm*>* stuck);

  Nccl nccl_;
  // What follows is for who has the lock of the process.
  std::string reason_;  // why there is no NCCL; empty: there is
  std::vector<std::unique_ptr<Communicator>> communicators_;
  bool is_making_ = false;  // a communicator, without the lock
  bool is_watched_ = false;
  bool has_open_ = false;  // Some broadcast may not have ended.
  std::condition_variable begun_;
};

}  // namespace tensorkv::cuda
