#pragma once

// What the process knows of its devices. Only the runtime's own files use it.
//
// One lock guards all of it, and work is queued on devices under it: who queues an operation sees
// what all before have queued. Nothing waits for a device while it holds the lock.
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "driver.h"
#include "failure.h"
#include "mailbox.h"
#include "pinned.h"

namespace tensorkv::cuda {

struct Device;

// A queue of work of one environment on one device, and how far it has come: piece of work number n
// is done when the event that was recorded behind it is.
struct Stream {
  Stream(Device* device, uint64_t id) : device(device), id(id) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Device* const device;
  const uint64_t id;
  CUstream_st* handle = nullptr;
  uint64_t issued = 0;
  uint64_t completed = 0;
  std::deque<CUevent_st*> open;                   // of the numbers behind `completed`
  std::unordered_map<uint64_t, uint64_t> waited;  // stream -> the number it waits for
};

// A piece of work.
struct Point {
  std::shared_ptr<Stream> stream;
  uint64_t number = 0;
};

// Memory of a device.
struct Allocation {
  enum class Kind : uint8_t { kPooled, kPlain, kImported };

  uint64_t id = 0;
  Device* device = nullptr;
  std::atomic<Address> address = 0;  // Only `Export` changes it.
  size_t bytes = 0;
  Kind kind = Kind::kPlain;
  size_t holders = 0;  // environments
  bool is_gone = false;
  Point write;                 // the last
  std::vector<Point> readers;  // since, one a stream
};

// Memory that is given back once the work in front has ended; for drivers without pools.
struct Leaving {
  Allocation::Kind kind;
  Address address;
  std::vector<Point> users;
};

// What an environment has left behind: its blocks are let go of with the work that uses them.
struct Orphan {
  std::shared_ptr<Stream> stream;
  std::vector<Block> blocks;
};

struct Device {
  int number = 0;
  int handle = 0;
  CUctx_st* context = nullptr;
  CUmemPoolHandle_st* pool = nullptr;  // null: there are none
  std::vector<CUevent_st*> events;     // not in use
  std::shared_ptr<Stream> releases;    // where memory is given back
  std::shared_ptr<Stream> broadcasts;  // made when it is first needed
  std::set<int> closed_to;             // devices that may not use its memory, though they could
  std::vector<Leaving> leaving;
  std::vector<Orphan> orphans;
  CUmod_st* module = nullptr;
  std::unordered_map<std::string, CUfunc_st*> kernels;
  std::mutex tidying;  // of who frees memory; taken before the lock

  // Of its own, for errors are met where the lock is not held.
  std::mutex fate;
  std::string lost;  // why it is; empty while it works
  std::set<std::shared_ptr<Note>> notes;
};

struct Kernel {
  Device* device;
  CUfunc_st* function;
  std::vector<size_t> parameters;  // their sizes
  bool has_parameters;             // whether the driver could say
};

// Never destroyed: threads end after static destructors have run, and the driver may be gone by
// then.
class Process {
 public:
  static Process& Get();

  // Why there is no CUDA, empty where there is. Opens the driver.
  const std::string& missing_reason();
  const Driver& driver() const { return driver_; }
  // Throws `cuda_unavailable` where there is no CUDA.
  void RequireDriver();
  // Why a device cannot run our kernels; empty where it can. Throws for a number without a device.
  const std::string& UnfitReasonOf(int number) const;
  // A device with its context, which is made when it is first asked for. With the lock.
  Device& Open(int number);
  uint64_t NextId() { return ++last_id_; }
  // With the lock; null where it is gone.
  std::shared_ptr<Allocation> Find(uint64_t id) const;

  std::mutex mutex;
  std::unordered_map<uint64_t, std::shared_ptr<Allocation>> allocations;
  std::vector<std::pair<Device*, CUmod_st*>> modules;
  std::vector<Kernel> kernels;
  PinnedPool pinned;

 private:
  std::string OpenAll();
  void RequireDevice(int number) const;
  void OpenPool(Device& device) const;
  void OpenPeers(Device& device);

  std::once_flag opened_;
  Driver driver_;
  std::string missing_reason_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::string> unfit_;  // why, one a device
  uint64_t last_id_ = 0;
};

// Makes the context of a device the current one, and the one before it again. Throws where the
// driver refuses.
class Current {
 public:
  Current(const Driver& driver, Device& device);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Driver& driver_;
};

// Why the device is lost; empty: it works.
std::string LostReason(Device& device);
// The device is lost for good, because of `cause`: all notes of it arrive with that.
void Lose(Device& device, const std::string& cause);
// Throws `peer_dead` where it is.
void RequireAlive(Device& device);
// Throws `peer_dead` where an allocation is gone, or its device lost. With the lock.
void RequireThere(const Allocation& allocation);
// Throws `bad_argument` where there are fewer bytes.
void RequireRange(const Allocation& allocation, size_t offset, size_t bytes);
// Throws what a call of the driver has failed with; an error that sticks loses the device.
void Check(Device& device, Result result, const char* call);

// The following are called with the lock, and with the context of their device current.
std::shared_ptr<Stream> MakeStream(Device& device);
// Looks how far a stream has come.
void Poll(Stream& stream);
bool IsDone(const Point& point);
// What is queued on `stream` from now on comes after `point`.
void WaitFor(Stream& stream, const Point& point);
// Waits for what an allocation's next reader, or writer, has to come after.
void WaitToUse(Stream& stream, const Allocation& allocation, bool writes);
// Ends a piece of work: `stream` has done all up to here when this point is.
Point Record(const std::shared_ptr<Stream>& stream);
// The same; where that fails, nobody could wait for the work, and the device is lost: then the
// point has no stream.
Point RecordOrLose(const std::shared_ptr<Stream>& stream);
void MarkUse(Allocation* allocation, const Point& point, bool writes);
// Memory of a device; throws `memory_limit`. It comes before what is queued on `stream` later.
Address Reserve(Device& device, Stream& stream, size_t bytes, Allocation::Kind* kind);
// Gives memory back behind all that uses it. Throws nothing: a device that is lost keeps it.
void GiveBack(Allocation& allocation);
// The same of memory that one stream alone has used, up to `user`.
void GiveBack(const Point& user, Address address, Allocation::Kind kind);

// Without the lock. Frees what has ended meanwhile, unless another thread does; and waits until all
// that was given back so far is free.
void Tidy(Device& device);
void WaitForReleases(Device& device);

}  // namespace tensorkv::cuda
