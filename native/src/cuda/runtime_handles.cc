// Allocations that other processes open.
#include "runtime.h"
#include "runtime_lane.h"
#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

// The driver shares memory of its own in pages of this size: an allocation that others see has no
// other in its page.
constexpr size_t kPage = size_t{2} << 20;

// Memory of a pool cannot be shared: it moves to memory of its own. With the lock, as a piece of
// work.
void MoveOut(const Lane& lane, Issue& issue, Allocation& allocation) {
  const Driver& driver = Process::Get().driver();
  const size_t bytes = (std::max(allocation.bytes, size_t{1}) + kPage - 1) / kPage * kPage;
  Address address = 0;
  Result result = driver.MemAlloc(&address, bytes);
  if (result == kOutOfMemory) {
    driver.MemPoolTrimTo(allocation.device->pool, 0);
    result = driver.MemAlloc(&address, bytes);
  }
  issue.Check(result, "cuMemAlloc");
  const Address before = allocation.address;
  const Allocation::Kind kind = allocation.kind;
  try {
    issue.Writes(allocation);
    issue.Check(driver.MemcpyDtoDAsync(address, before, allocation.bytes, issue.stream().handle),
                "cuMemcpyDtoDAsync");
  } catch (const Failure&) {
    GiveBack({lane.stream(), lane.stream()->issued + 1}, address, Allocation::Kind::kPlain);
    throw;
  }
  allocation.address = address;
  allocation.kind = Allocation::Kind::kPlain;
  const Point copied = issue.Finish();
  GiveBack(copied, before, kind);
}

}  // namespace

IpcHandle Environment::Export(uint64_t id) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> allocation = FindOne(id);
  Lane& lane = LaneOn(allocation->device->number);
  IpcHandle handle = {};
  {
    Issue issue(lane);
    if (allocation->kind == Allocation::Kind::kPooled) MoveOut(lane, issue, *allocation);
    Expect(allocation->kind == Allocation::Kind::kPlain, "Expected an allocation of this process");
    WaitToUse(*lane.stream(), *allocation, true);
    issue.Check(process.driver().IpcGetMemHandle(&handle, allocation->address),
                "cuIpcGetMemHandle");
  }
  // Others know nothing of our events.
  lane.Wait();
  return handle;
}

uint64_t Environment::Import(int number, const IpcHandle& handle, size_t bytes) {
  Lane& lane = LaneOn(number);
  Process& process = Process::Get();
  const Driver& driver = process.driver();
  auto allocation = std::make_shared<Allocation>();
  const std::lock_guard lock(process.mutex);
  const Current current(driver, lane.device());
  Address address = 0;
  const Result result = driver.IpcOpenMemHandle(&address, handle, kIpcLazyPeerAccess);
  if (result == kInvalidValue || result == kInvalidContext || result == kInvalidHandle) {
    throw Failure(FailureCode::kBadArgument,
                  "Expected a handle of memory that another process has, cuIpcOpenMemHandle "
                  "failed with " +
                      driver.NameOf(result));
  }
  Check(lane.device(), result, "cuIpcOpenMemHandle");
  Address base = address;
  size_t room = bytes;
  if (driver.MemGetAddressRange != nullptr) driver.MemGetAddressRange(&base, &room, address);
  if (bytes > room - (address - base)) {
    driver.IpcCloseMemHandle(address);
    throw Failure(FailureCode::kBadArgument, "Expected no more bytes than the handle stands for");
  }
  allocation->device = &lane.device();
  allocation->bytes = bytes;
  allocation->address = address;
  allocation->kind = Allocation::Kind::kImported;
  allocation->id = process.NextId();
  process.allocations.emplace(allocation->id, allocation);
  return Hold(std::move(allocation));
}

}  // namespace tensorkv::cuda
