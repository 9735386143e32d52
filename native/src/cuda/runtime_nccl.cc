#include "runtime_nccl.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "runtime_lane.h"

namespace tensorkv::cuda {
namespace {

// Each takes memory of its devices.
constexpr size_t kMostCommunicators = 8;
// How soon devices that wait for one that is lost are freed.
constexpr std::chrono::milliseconds kLookEvery{20};

Process& TheProcess() { return Process::Get(); }
const Driver& TheDriver() { return TheProcess().driver(); }

// NCCL's kernels of one device may write into memory of another by themselves. Where a device can
// reach another it must be allowed to; memory of other processes is no memory of its device.
bool MayReach(std::span<const Piece* const> pieces) {
  for (const Piece* const piece : pieces) {
    if (piece->allocation->kind == Allocation::Kind::kImported) return false;
    for (const Piece* const other : pieces) {
      if (piece->device()->closed_to.contains(other->device()->number)) return false;
    }
  }
  return true;
}

}  // namespace

Broadcasts& Broadcasts::Get() {
  static Broadcasts* const broadcasts = new Broadcasts();
  return *broadcasts;
}

Broadcasts::Broadcasts() : reason_(OpenNccl(TheDriver(), &nccl_)) {}

NcclInfo Broadcasts::info() {
  const std::lock_guard lock(TheProcess().mutex);
  return {nccl_.version, reason_};
}

// With the lock, which it lets go of while a communicator is made.
Broadcasts::Communicator* Broadcasts::FindOrMake(const std::vector<Device*>& devices,
                                                 std::unique_lock<std::mutex>* lock) {
  for (const auto& each : communicators_) {
    if (each->devices == devices) return each.get();
  }
  if (communicators_.size() == kMostCommunicators) return nullptr;
  for (Device* const device : devices) {
    if (device->broadcasts != nullptr) continue;
    const Current current(TheDriver(), *device);
    device->broadcasts = MakeStream(*device);
  }
  auto made = std::make_unique<Communicator>();
  made->devices = devices;
  made->last.resize(devices.size());
  if (!is_watched_) {
    try {
      std::thread([this] { Watch(); }).detach();
    } catch (const std::system_error& error) {
      reason_ = std::string("no thread could be started to watch broadcasts: ") + error.what();
      return nullptr;
    }
    is_watched_ = true;
  }
  is_making_ = true;
  lock->unlock();
  const NcclResult result = Make(made.get());
  lock->lock();
  is_making_ = false;
  if (result != kNcclSuccess) {
    for (Device* const device : devices) RequireAlive(*device);
    Failed("ncclCommInitAll", result);
    return nullptr;
  }
  communicators_.push_back(std::move(made));
  return communicators_.back().get();
}

NcclResult Broadcasts::Make(Communicator* communicator) const {
  std::vector<int> numbers;
  numbers.reserve(communicator->devices.size());
  for (const Device* const device : communicator->devices) numbers.push_back(device->number);
  communicator->ranks.resize(numbers.size());
  // It leaves the context current that it finds.
  const Current current(TheDriver(), *communicator->devices[0]);
  return nccl_.CommInitAll(communicator->ranks.data(), static_cast<int>(numbers.size()),
                           numbers.data());
}

// With the lock: no broadcasts any more.
void Broadcasts::Failed(const char* call, NcclResult result) {
  const char* const what = nccl_.GetErrorString(result);
  reason_ = std::string(call) + " failed with " +
            (what == nullptr ? "result " + std::to_string(result) : what);
}

NcclResult Broadcasts::Launch(const Communicator& communicator,
                              std::span<const Piece* const> pieces, size_t root,
                              size_t bytes) const {
  const auto quiet = TheProcess().pinned.Quiet();
  const Current current(TheDriver(), *communicator.devices[root]);
  if (const NcclResult result = nccl_.GroupStart(); result != kNcclSuccess) return result;
  NcclResult result = kNcclSuccess;
  for (size_t rank = 0; rank < pieces.size() && result == kNcclSuccess; ++rank) {
    // In place at the root, which is only read.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver has numbers for what NCCL points to.
    auto* const memory = reinterpret_cast<void*>(pieces[rank]->address());
    result =
        nccl_.Broadcast(memory, memory, bytes, kNcclUint8, static_cast<int>(root),
                        communicator.ranks[rank], communicator.devices[rank]->broadcasts->handle);
  }
  const NcclResult ended = nccl_.GroupEnd();
  return result == kNcclSuccess ? ended : result;
}

bool Broadcasts::Send(const Piece& from, std::span<const Piece> to, size_t bytes,
                      std::span<const std::shared_ptr<Stream>> streams) {
  std::vector<const Piece*> pieces = {&from};
  for (const Piece& each : to) pieces.push_back(&each);
  std::ranges::sort(pieces, {}, [](const Piece* piece) { return piece->device()->number; });
  const auto root = static_cast<size_t>(std::ranges::find(pieces, &from) - pieces.begin());
  std::vector<Device*> devices;
  devices.reserve(pieces.size());
  for (const Piece* const piece : pieces) devices.push_back(piece->device());

  std::unique_lock lock(TheProcess().mutex);
  if (!reason_.empty() || is_making_ || !MayReach(pieces)) return false;
  for (Device* const device : devices) RequireAlive(*device);
  Communicator* const communicator = FindOrMake(devices, &lock);
  if (communicator == nullptr) return false;
  for (size_t rank = 0; rank < pieces.size(); ++rank) {
    const Current current(TheDriver(), *devices[rank]);
    RequireThere(*pieces[rank]->allocation);
    WaitToUse(*devices[rank]->broadcasts, *pieces[rank]->allocation, rank != root);
    // A device that is lost says so now, before others wait for it.
    Record(devices[rank]->broadcasts);
  }
  const NcclResult result = Launch(*communicator, pieces, root, bytes);
  std::vector<Point> ends;
  for (size_t rank = 0; rank < pieces.size(); ++rank) {
    const Current current(TheDriver(), *devices[rank]);
    ends.push_back(RecordOrLose(devices[rank]->broadcasts));
    if (ends[rank].stream == nullptr) continue;
    MarkUse(pieces[rank]->allocation.get(), ends[rank], rank != root);
  }
  if (result == kNcclSuccess) {
    communicator->last = ends;
  } else {
    communicator->is_broken = true;
  }
  has_open_ = true;
  begun_.notify_one();
  for (Device* const device : devices) RequireAlive(*device);
  if (result != kNcclSuccess) Failed("a broadcast", result);
  for (const std::shared_ptr<Stream>& stream : streams) {
    const Current current(TheDriver(), *stream->device);
    const auto rank = std::ranges::find(devices, stream->device) - devices.begin();
    WaitFor(*stream, ends[static_cast<size_t>(rank)]);
  }
  return result == kNcclSuccess;
}

void Broadcasts::Watch() {
  std::unique_lock lock(TheProcess().mutex);
  for (;;) {
    begun_.wait(lock, [this] { return has_open_; });
    const std::vector<ncclComm*> stuck = Look();
    lock.unlock();
    for (ncclComm* const rank : stuck) nccl_.CommAbort(rank);
    std::this_thread::sleep_for(kLookEvery);
    lock.lock();
  }
}

// Looks what has ended. Gives the ranks that wait for good. With the lock.
std::vector<ncclComm*> Broadcasts::Look() {
  std::vector<ncclComm*> stuck;
  has_open_ = false;
  std::erase_if(communicators_, [&](const auto& communicator) {
    const size_t before = stuck.size();
    if (!IsOver(*communicator, &stuck)) has_open_ = true;
    return stuck.size() > before;
  });
  // Devices that were lost now may be in others that were looked at before.
  if (!stuck.empty()) has_open_ = true;
  return stuck;
}

bool Broadcasts::IsOver(const Communicator& communicator, std::vector<ncclComm*>* stuck) {
  Device* lost = nullptr;
  std::vector<Device*> late;
  std::vector<ncclComm*> ranks;
  for (size_t rank = 0; rank < communicator.devices.size(); ++rank) {
    Device& device = *communicator.devices[rank];
    try {
      RequireAlive(device);
      const Current current(TheDriver(), device);
      Poll(*device.broadcasts);
    } catch (const Failure&) {
      if (!LostReason(device).empty()) lost = &device;
    }
    // Its rank is left alone: with the last of all that are aborted NCCL waits for every device.
    if (lost == &device) continue;
    ranks.push_back(communicator.ranks[rank]);
    if (!IsDone(communicator.last[rank])) late.push_back(&device);
  }
  if (late.empty() && !communicator.is_broken) return true;
  if (lost != nullptr) {
    for (Device* const device : late) {
      Lose(*device, "a broadcast with CUDA device " + std::to_string(lost->number) +
                        ", which is lost, has not ended");
    }
  } else if (!late.empty()) {
    return false;
  }
  stuck->insert(stuck->end(), ranks.begin(), ranks.end());
  return true;
}

NcclInfo InfoOfNccl() {
  TheProcess().RequireDriver();
  return Broadcasts::Get().info();
}

void Environment::Broadcast(uint64_t from_id, size_t from_offset, std::span<const Place> outs,
                            size_t bytes) {
  TheProcess().RequireDriver();
  const Piece from = {FindOne(from_id), from_offset};
  RequireRange(*from.allocation, from.offset, bytes);
  // The first on each device, from which the others there are copied.
  std::vector<Piece> firsts;
  std::vector<std::pair<Place, Place>> copies;
  std::unordered_map<Device*, Place> sources = {{from.device(), {from_id, from_offset}}};
  for (const Place& out : outs) {
    Piece piece = {FindOne(out.id), out.offset};
    RequireRange(*piece.allocation, out.offset, bytes);
    const auto [source, is_first] = sources.emplace(piece.device(), out);
    if (is_first) {
      firsts.push_back(std::move(piece));
    } else {
      copies.emplace_back(source->second, out);
    }
  }
  if (bytes == 0) return;
  std::vector<std::shared_ptr<Stream>> streams;
  streams.reserve(firsts.size());
  for (const Piece& first : firsts) streams.push_back(LaneOn(first.device()->number).stream());
  const bool is_one = firsts.size() < 2;
  if (is_one || !Broadcasts::Get().Send(from, firsts, bytes, streams)) {
    for (const Piece& first : firsts) {
      Copy(from_id, from_offset, first.allocation->id, first.offset, bytes);
    }
  }
  for (const auto& [source, out] : copies)
    Copy(source.id, source.offset, out.id, out.offset, bytes);
}

}  // namespace tensorkv::cuda
