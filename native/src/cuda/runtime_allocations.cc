#include <algorithm>
#include <utility>

#include "runtime.h"
#include "runtime_lane.h"
#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

using Kind = Allocation::Kind;

const Driver& TheDriver() { return Process::Get().driver(); }

[[noreturn]] void ThrowGone(uint64_t id) {
  throw Failure(FailureCode::kPeerDead,
                "Expected an allocation that is there, number " + std::to_string(id) + " is gone");
}

// Lets go of what has ended meanwhile, and gives the memory that nobody uses any more.
std::vector<Leaving> TakeUnused(Device& device) {
  std::vector<Leaving> unused;
  const std::lock_guard lock(Process::Get().mutex);
  for (const Orphan& orphan : device.orphans) Poll(*orphan.stream);
  std::erase_if(device.orphans, [](const Orphan& orphan) { return orphan.stream->open.empty(); });
  std::erase_if(device.leaving, [&unused](Leaving& leaving) {
    for (const Point& user : leaving.users) {
      if (IsDone(user)) continue;
      try {
        Poll(*user.stream);
      } catch (const Failure&) {
        return false;  // Another device, which is lost, has used it.
      }
      if (!IsDone(user)) return false;
    }
    unused.push_back(std::move(leaving));
    return true;
  });
  return unused;
}

// Outside of the lock: each call may wait for all that the device has still to do, so none is made
// while a broadcast is launched.
void FreeUnused(Device& device) {
  try {
    const Current current(TheDriver(), device);
    for (const Leaving& each : TakeUnused(device)) {
      const auto calling = Process::Get().pinned.Calling();
      if (each.kind == Kind::kImported) {
        TheDriver().IpcCloseMemHandle(each.address);
      } else {
        TheDriver().MemFree(each.address);
      }
    }
  } catch (const Failure&) {
    return;  // A device is lost.
  }
}

Result TryReserve(Device& device, Stream& stream, size_t bytes, Address* address) {
  return device.pool != nullptr ? TheDriver().MemAllocAsync(address, bytes, stream.handle)
                                : TheDriver().MemAlloc(address, bytes);
}

}  // namespace

void RequireThere(const Allocation& allocation) {
  RequireAlive(*allocation.device);
  if (allocation.is_gone) ThrowGone(allocation.id);
}

void RequireRange(const Allocation& allocation, size_t offset, size_t bytes) {
  Expect(offset <= allocation.bytes && bytes <= allocation.bytes - offset,
         "Expected a range inside of the allocation");
}

Address Reserve(Device& device, Stream& stream, size_t bytes, Kind* kind) {
  *kind = device.pool != nullptr ? Kind::kPooled : Kind::kPlain;
  Address address = 0;
  Result result = TryReserve(device, stream, bytes, &address);
  if (result == kOutOfMemory && device.pool != nullptr) {
    // What the pool keeps may be in pieces.
    TheDriver().MemPoolTrimTo(device.pool, 0);
    result = TryReserve(device, stream, bytes, &address);
  }
  if (result == kOutOfMemory) {
    throw Failure(FailureCode::kMemoryLimit,
                  "Expected " + std::to_string(bytes) + " bytes of CUDA device " +
                      std::to_string(device.number) + ", " + TheDriver().NameOf(result));
  }
  Check(device, result, device.pool != nullptr ? "cuMemAllocAsync" : "cuMemAlloc");
  return address;
}

void GiveBack(Allocation& allocation) {
  Device& device = *allocation.device;
  if (!LostReason(device).empty()) return;
  std::vector<Point> users = std::move(allocation.readers);
  users.push_back(allocation.write);
  if (allocation.kind != Kind::kPooled) {
    device.leaving.push_back({allocation.kind, allocation.address, std::move(users)});
    return;
  }
  try {
    const Current current(TheDriver(), device);
    for (const Point& user : users) WaitFor(*device.releases, user);
    Check(device, TheDriver().MemFreeAsync(allocation.address, device.releases->handle),
          "cuMemFreeAsync");
  } catch (const Failure&) {
    return;  // It is better kept than given back too early.
  }
}

void GiveBack(const Point& user, Address address, Kind kind) {
  Device& device = *user.stream->device;
  if (!LostReason(device).empty()) return;
  if (kind == Kind::kPooled) {
    TheDriver().MemFreeAsync(address, user.stream->handle);
  } else {
    device.leaving.push_back({kind, address, {user}});
  }
}

void WaitForReleases(Device& device) {
  const Driver& driver = TheDriver();
  const Current current(driver, device);
  CUevent_st* event = nullptr;
  {
    const std::lock_guard lock(Process::Get().mutex);
    RequireAlive(device);
    for (const Leaving& leaving : device.leaving) {
      for (const Point& user : leaving.users) WaitFor(*device.releases, user);
    }
    Check(device, driver.EventCreate(&event, kEventDisableTiming | kEventBlockingSync),
          "cuEventCreate");
    const Result recorded = driver.EventRecord(event, device.releases->handle);
    if (recorded != kSuccess) driver.EventDestroy(event);
    Check(device, recorded, "cuEventRecord");
  }
  const Result waited = driver.EventSynchronize(event);
  driver.EventDestroy(event);
  Check(device, waited, "cuEventSynchronize");
  const std::lock_guard tidying(device.tidying);
  FreeUnused(device);
}

void Tidy(Device& device) {
  const std::unique_lock tidying(device.tidying, std::try_to_lock);
  if (tidying.owns_lock()) FreeUnused(device);
}

Environment::Environment(std::function<void()> ring)
    : mailbox_(std::make_shared<Mailbox>(std::move(ring))) {}

Environment::~Environment() { End(); }

void Environment::End() {
  if (std::exchange(has_ended_, true)) return;
  mailbox_->Close();
  if (lanes_.empty() && held_.empty()) return;
  Process& process = Process::Get();
  const std::lock_guard lock(process.mutex);
  for (auto& [number, lane] : lanes_) lane->Abandon();
  for (auto& [id, held] : held_) {
    Allocation& allocation = *held.allocation;
    if (--allocation.holders > 0) continue;
    allocation.is_gone = true;
    process.allocations.erase(id);
    GiveBack(allocation);
  }
  held_.clear();
  lanes_.clear();
}

Lane& Environment::LaneOn(int number) {
  Process& process = Process::Get();
  process.RequireDriver();
  const auto found = lanes_.find(number);
  if (found != lanes_.end()) {
    RequireAlive(found->second->device());
    return *found->second;
  }
  const std::string& unfit = process.UnfitReasonOf(number);
  if (!unfit.empty()) throw Failure(FailureCode::kUnavailable, unfit);
  const std::lock_guard lock(process.mutex);
  auto lane = std::make_unique<Lane>(process.Open(number));
  return *lanes_.emplace(number, std::move(lane)).first->second;
}

std::shared_ptr<Allocation> Environment::FindOne(uint64_t id) {
  const auto held = held_.find(id);
  std::shared_ptr<Allocation> found;
  if (held != held_.end()) {
    found = held->second.allocation;
  } else {
    Process& process = Process::Get();
    const std::lock_guard lock(process.mutex);
    found = process.Find(id);
  }
  if (found == nullptr) ThrowGone(id);
  RequireAlive(*found->device);
  return found;
}

uint64_t Environment::Hold(std::shared_ptr<Allocation> allocation) {
  const uint64_t id = allocation->id;
  ++allocation->holders;
  held_[id] = {std::move(allocation), 1};
  return id;
}

uint64_t Environment::Allocate(int number, size_t bytes) {
  Lane& lane = LaneOn(number);
  Tidy(lane.device());
  try {
    return AllocateNow(lane, bytes);
  } catch (const Failure& failure) {
    if (failure.code() != FailureCode::kMemoryLimit) throw;
  }
  // What was released may not be free yet.
  WaitForReleases(lane.device());
  return AllocateNow(lane, bytes);
}

uint64_t Environment::AllocateNow(Lane& lane, size_t bytes) {
  Process& process = Process::Get();
  auto allocation = std::make_shared<Allocation>();
  allocation->device = &lane.device();
  allocation->bytes = bytes;
  // Memory without bytes has an address too.
  const size_t reserved = std::max(bytes, size_t{1});
  Issue issue(lane);
  const Address address = Reserve(lane.device(), issue.stream(), reserved, &allocation->kind);
  allocation->address = address;
  allocation->id = process.NextId();
  issue.Writes(*allocation);
  try {
    issue.Check(process.driver().MemsetD8Async(address, 0, reserved, issue.stream().handle),
                "cuMemsetD8Async");
    issue.Finish();
  } catch (const Failure&) {
    GiveBack({lane.stream(), lane.stream()->issued + 1}, address, allocation->kind);
    throw;
  }
  process.allocations.emplace(allocation->id, allocation);
  return Hold(std::move(allocation));
}

void Environment::Retain(uint64_t id) {
  Process& process = Process::Get();
  process.RequireDriver();
  const auto held = held_.find(id);
  if (held != held_.end()) {
    ++held->second.count;
    return;
  }
  const std::lock_guard lock(process.mutex);
  std::shared_ptr<Allocation> found = process.Find(id);
  if (found == nullptr) ThrowGone(id);
  RequireAlive(*found->device);
  Hold(std::move(found));
}

void Environment::Release(uint64_t id) {
  Process& process = Process::Get();
  process.RequireDriver();
  const auto held = held_.find(id);
  if (held == held_.end()) {
    FindOne(id);
    throw Failure(FailureCode::kBadArgument, "Expected an allocation that this thread holds");
  }
  if (--held->second.count > 0) return;
  const std::shared_ptr<Allocation> allocation = std::move(held->second.allocation);
  held_.erase(held);
  const std::lock_guard lock(process.mutex);
  if (--allocation->holders > 0) return;
  allocation->is_gone = true;
  process.allocations.erase(id);
  GiveBack(*allocation);
}

ArrayInfo Environment::InfoOf(uint64_t id) {
  Process::Get().RequireDriver();
  const std::shared_ptr<Allocation> found = FindOne(id);
  const std::lock_guard lock(Process::Get().mutex);
  return {found->device->number, found->bytes, found->address};
}

}  // namespace tensorkv::cuda
