#pragma once

// What an environment has on one device. Only the runtime's own files use it.
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "runtime_state.h"

namespace tensorkv::cuda {

// Only who uses its environment uses it, with the lock where it queues work.
class Lane {
 public:
  // With the lock.
  explicit Lane(Device& device);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  Device& device() const { return device_; }
  const std::shared_ptr<Stream>& stream() const { return stream_; }

  // Pinned memory for the next piece of work to copy from; it is used again when that has ended.
  // Without the lock.
  char* Stage(size_t bytes);
  // Whether that would wait for the device. Without the lock.
  bool WaitsToStage(size_t bytes);
  // Whether what a plan was given last is enough for this one.
  bool HasPlanMemory(size_t bytes) const { return bytes <= plan_capacity_; }
  // Memory of the device for the launches of a plan, with anything in it. With the lock.
  Address PlanMemory(size_t bytes);
  // Gives it back where it is too large to keep. With the lock, when the launches are queued.
  void EndPlan();
  // Waits until the device has done all that is queued. Without the lock.
  void Wait();
  // `note` arrives once `point` is done. With the lock.
  void NotifyAt(const Point& point, const std::shared_ptr<Note>& note);
  // Gives everything back, behind the work that uses it. With the lock; throws nothing.
  void Abandon();

 private:
  struct Staged {
    uint64_t number;  // of the piece of work that copies from it
    Block block;
  };
  void Retire(uint64_t number, Block block);
  void Reclaim();

  Device& device_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<Stream> notify_;  // made when it is first needed
  CUevent_st* barrier_ = nullptr;
  Block chunk_;
  size_t chunk_used_ = 0;
  std::deque<Staged> staged_;
  size_t staged_bytes_ = 0;
  Address plan_ = 0;
  size_t plan_capacity_ = 0;
  Allocation::Kind plan_kind_ = Allocation::Kind::kPlain;
};

// One piece of work while it is queued: holds the lock, waits on the device for what each
// allocation it uses has to come after, and marks them with its end.
class Issue {
 public:
  explicit Issue(Lane& lane);
  // Where something has failed half way: what was queued has an end as well.
  ~Issue();
  Issue(const Issue&) = delete;
  Issue& operator=(const Issue&) = delete;

  void Reads(Allocation& allocation) { Use(allocation, false); }
  void Writes(Allocation& allocation) { Use(allocation, true); }
  Point Finish();
  Stream& stream() const { return *lane_.stream(); }
  void Check(Result result, const char* call) const { cuda::Check(lane_.device(), result, call); }

 private:
  void Use(Allocation& allocation, bool writes);

  struct Used {
    Allocation* allocation;
    bool writes;
  };
  Lane& lane_;
  const std::lock_guard<std::mutex> lock_;
  std::optional<Current> current_;
  std::vector<Used> used_;
  bool is_finished_ = false;
};

}  // namespace tensorkv::cuda
