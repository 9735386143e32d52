#include <cstring>

#include "runtime.h"
#include "runtime_lane.h"
#include "runtime_state.h"

namespace tensorkv::cuda {

void Environment::Upload(const void* source, size_t bytes, uint64_t id, size_t offset) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> to = FindOne(id);
  RequireRange(*to, offset, bytes);
  if (bytes == 0) return;
  Lane& lane = LaneOn(to->device->number);
  char* const staged = lane.Stage(bytes);
  std::memcpy(staged, source, bytes);
  Issue issue(lane);
  issue.Writes(*to);
  issue.Check(
      process.driver().MemcpyHtoDAsync(to->address + offset, staged, bytes, issue.stream().handle),
      "cuMemcpyHtoDAsync");
  issue.Finish();
}

void Environment::Download(uint64_t id, size_t offset, void* out, size_t bytes) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> from = FindOne(id);
  RequireRange(*from, offset, bytes);
  if (bytes == 0) return;
  Lane& lane = LaneOn(from->device->number);
  Block block = TakeBlock(lane, bytes);
  try {
    QueueDownload(lane, from.get(), offset, bytes, block.data());
    lane.Wait();
  } catch (const Failure&) {
    block.Leak();  // The device may still write into it.
    throw;
  }
  std::memcpy(out, block.data(), bytes);
}

uint64_t Environment::DownloadAsync(uint64_t id, size_t offset, size_t bytes) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> from = FindOne(id);
  RequireRange(*from, offset, bytes);
  if (bytes == 0) return WhenReady(id);
  Lane& lane = LaneOn(from->device->number);
  Block block = TakeBlock(lane, bytes);
  char* const data = block.data();
  const auto note = std::make_shared<Note>(mailbox_, ++last_note_, std::move(block));
  try {
    const Point point = QueueDownload(lane, from.get(), offset, bytes, data);
    const std::lock_guard lock(process.mutex);
    lane.NotifyAt(point, note);
  } catch (const Failure&) {
    note->Drop();
    throw;
  }
  return last_note_;
}

uint64_t Environment::WhenReady(uint64_t id) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> of = FindOne(id);
  Lane& lane = LaneOn(of->device->number);
  const auto note = std::make_shared<Note>(mailbox_, ++last_note_, Block());
  const std::lock_guard lock(process.mutex);
  lane.NotifyAt(of->write, note);
  return last_note_;
}

Block Environment::TakeBlock(Lane& lane, size_t bytes) {
  Process& process = Process::Get();
  const Current current(process.driver(), lane.device());
  return process.pinned.Take(process.driver(), bytes);
}

Point Environment::QueueDownload(Lane& lane, Allocation* from, size_t offset, size_t bytes,
                                 char* to) {
  Issue issue(lane);
  issue.Reads(*from);
  issue.Check(Process::Get().driver().MemcpyDtoHAsync(to, from->address + offset, bytes,
                                                      issue.stream().handle),
              "cuMemcpyDtoHAsync");
  return issue.Finish();
}

void Environment::Copy(uint64_t from_id, size_t from_offset, uint64_t to_id, size_t to_offset,
                       size_t bytes) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::shared_ptr<Allocation> from = FindOne(from_id), to = FindOne(to_id);
  RequireRange(*from, from_offset, bytes);
  RequireRange(*to, to_offset, bytes);
  if (from == to) {
    const size_t apart =
        from_offset < to_offset ? to_offset - from_offset : from_offset - to_offset;
    Expect(apart == 0 || apart >= bytes, "Expected ranges that do not overlap in part");
    if (apart == 0) return;
  }
  if (bytes == 0) return;
  Lane& lane = LaneOn(to->device->number);
  const Driver& driver = process.driver();
  Issue issue(lane);
  issue.Reads(*from);
  issue.Writes(*to);
  const Address source = from->address + from_offset, target = to->address + to_offset;
  if (from->device == to->device) {
    issue.Check(driver.MemcpyDtoDAsync(target, source, bytes, issue.stream().handle),
                "cuMemcpyDtoDAsync");
  } else {
    issue.Check(driver.MemcpyPeerAsync(target, to->device->context, source, from->device->context,
                                       bytes, issue.stream().handle),
                "cuMemcpyPeerAsync");
  }
  issue.Finish();
}

void Environment::Synchronize(int device) { LaneOn(device).Wait(); }

}  // namespace tensorkv::cuda
