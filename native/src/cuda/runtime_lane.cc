#include "runtime_lane.h"

#include <algorithm>
#include <utility>

namespace tensorkv::cuda {
namespace {

constexpr size_t kChunk = size_t{256} << 10;
// What may wait for the device to copy it; who stages more waits first.
constexpr size_t kMostStaged = size_t{256} << 20;
// Memory for plans that is kept between them.
constexpr size_t kKeptPlan = size_t{16} << 20;
constexpr size_t kFirstPlan = size_t{64} << 10;
constexpr size_t kAlignment = 64;

const Driver& TheDriver() { return Process::Get().driver(); }

}  // namespace

Lane::Lane(Device& device) : device_(device) {
  const Current current(TheDriver(), device);
  stream_ = MakeStream(device);
  Check(device, TheDriver().EventCreate(&barrier_, kEventDisableTiming | kEventBlockingSync),
        "cuEventCreate");
}

char* Lane::Stage(size_t bytes) {
  Reclaim();
  Process& process = Process::Get();
  const Current current(process.driver(), device_);
  if (bytes > kChunk / 4) {
    if (staged_bytes_ > 0 && staged_bytes_ + bytes > kMostStaged) {
      Wait();
      Reclaim();
    }
    Block block = process.pinned.Take(process.driver(), bytes);
    char* const data = block.data();
    Retire(stream_->issued + 1, std::move(block));
    return data;
  }
  const size_t room = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (chunk_used_ + room > chunk_.capacity()) {
    if (chunk_.data() != nullptr) Retire(stream_->issued, std::exchange(chunk_, Block()));
    chunk_ = process.pinned.Take(process.driver(), kChunk);
    chunk_used_ = 0;
  }
  char* const data = chunk_.data() + chunk_used_;
  chunk_used_ += room;
  return data;
}

bool Lane::WaitsToStage(size_t bytes) {
  if (bytes <= kChunk / 4 || staged_bytes_ + bytes <= kMostStaged) return false;
  Reclaim();
  return staged_bytes_ > 0 && staged_bytes_ + bytes > kMostStaged;
}

void Lane::Retire(uint64_t number, Block block) {
  staged_bytes_ += block.capacity();
  staged_.push_back({number, std::move(block)});
}

void Lane::Reclaim() {
  if (staged_.empty()) return;
  uint64_t completed = 0;
  {
    const std::lock_guard lock(Process::Get().mutex);
    RequireAlive(device_);
    const Current current(TheDriver(), device_);
    Poll(*stream_);
    completed = stream_->completed;
  }
  while (!staged_.empty() && staged_.front().number <= completed) {
    staged_bytes_ -= staged_.front().block.capacity();
    staged_.pop_front();
  }
}

Address Lane::PlanMemory(size_t bytes) {
  if (HasPlanMemory(bytes)) return plan_;
  if (plan_ != 0) {
    GiveBack({stream_, stream_->issued}, std::exchange(plan_, 0), plan_kind_);
    plan_capacity_ = 0;
  }
  const size_t capacity =
      bytes > kKeptPlan ? bytes : std::max(kFirstPlan, std::min(2 * bytes, kKeptPlan));
  plan_ = Reserve(device_, *stream_, capacity, &plan_kind_);
  plan_capacity_ = capacity;
  return plan_;
}

void Lane::EndPlan() {
  if (plan_capacity_ <= kKeptPlan) return;
  GiveBack({stream_, stream_->issued + 1}, std::exchange(plan_, 0), plan_kind_);
  plan_capacity_ = 0;
}

void Lane::Wait() {
  {
    const std::lock_guard lock(Process::Get().mutex);
    RequireAlive(device_);
    const Current current(TheDriver(), device_);
    Check(device_, TheDriver().EventRecord(barrier_, stream_->handle), "cuEventRecord");
  }
  const Current current(TheDriver(), device_);
  Check(device_, TheDriver().EventSynchronize(barrier_), "cuEventSynchronize");
  const std::lock_guard lock(Process::Get().mutex);
  // Work that waited for a device that is lost ends as well.
  RequireAlive(device_);
  Poll(*stream_);
}

namespace {

void OnNote(CUstream_st*, Result result, void* data) {
  // A thread of the driver: no call of it, and no exception.
  const std::unique_ptr<std::pair<Device*, std::shared_ptr<Note>>> note(
      static_cast<std::pair<Device*, std::shared_ptr<Note>>*>(data));
  Device& device = *note->first;
  if (result == kSuccess) {
    {
      const std::lock_guard lock(device.fate);
      device.notes.erase(note->second);
    }
    note->second->Arrive("");
    return;
  }
  Lose(device, "its work failed with CUDA error " + std::to_string(result));
  note->second->Arrive(LostReason(device));
}

}  // namespace

void Lane::NotifyAt(const Point& point, const std::shared_ptr<Note>& note) {
  RequireAlive(device_);
  const Current current(TheDriver(), device_);
  if (notify_ == nullptr) notify_ = MakeStream(device_);
  WaitFor(*notify_, point);
  {
    const std::lock_guard lock(device_.fate);
    device_.notes.insert(note);
  }
  // The callback's, once it is queued.
  auto* const sent = new std::pair<Device*, std::shared_ptr<Note>>(&device_, note);
  // Not cuLaunchHostFunc: a device that is lost never calls what that was given.
  const Result result = TheDriver().StreamAddCallback(notify_->handle, OnNote, sent, 0);
  if (result == kSuccess) return;
  delete sent;
  {
    const std::lock_guard lock(device_.fate);
    device_.notes.erase(note);
  }
  note->Drop();
  Check(device_, result, "cuStreamAddCallback");
}

void Lane::Abandon() {
  const Driver& driver = TheDriver();
  const bool is_lost = !LostReason(device_).empty();
  Orphan orphan = {stream_, {}};
  if (chunk_.data() != nullptr) staged_.push_back({0, std::move(chunk_)});
  for (Staged& staged : staged_) orphan.blocks.push_back(std::move(staged.block));
  staged_.clear();
  const auto leak = [&orphan] {
    for (Block& block : orphan.blocks) block.Leak();
  };
  if (is_lost) return leak();
  try {
    const Current current(driver, device_);
    if (plan_ != 0) GiveBack({stream_, stream_->issued}, plan_, plan_kind_);
    driver.EventDestroy(barrier_);
    driver.StreamDestroy(stream_->handle);
    if (notify_ != nullptr) driver.StreamDestroy(notify_->handle);
    device_.orphans.push_back(std::move(orphan));
  } catch (const Failure&) {
    leak();
  }
}

Issue::Issue(Lane& lane) : lane_(lane), lock_(Process::Get().mutex) {
  RequireAlive(lane.device());
  current_.emplace(TheDriver(), lane.device());
}

void Issue::Use(Allocation& allocation, bool writes) {
  // Looked at under one lock: the device of the lane was.
  if (allocation.device != &lane_.device() || allocation.is_gone) RequireThere(allocation);
  WaitToUse(*lane_.stream(), allocation, writes);
  used_.push_back({&allocation, writes});
}

Point Issue::Finish() {
  is_finished_ = true;
  Point point = RecordOrLose(lane_.stream());
  if (point.stream == nullptr) RequireAlive(lane_.device());
  for (const Used& used : used_) MarkUse(used.allocation, point, used.writes);
  return point;
}

Issue::~Issue() {
  if (is_finished_ || used_.empty()) return;
  try {
    Finish();
  } catch (const Failure&) {
    return;  // The device is lost.
  }
}

}  // namespace tensorkv::cuda
