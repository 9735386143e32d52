// An NCCL for the devices of this driver, of broadcasts alone. As the real one, whose kernels wait
// for each other: a rank whose device is lost leaves the others waiting until their communicators
// are aborted. What the real one may hang in, or answers with wrong bytes, ends the program here.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "../../../src/cuda/nccl_functions.h"
#include "stand_in.h"

struct ncclComm {
  CUctx_st* context;
  size_t rank;
  std::shared_ptr<std::vector<ncclComm*>> ranks;  // all of the communicator
  bool is_aborted = false;
};

namespace tensorkv::cuda::stand_in {
namespace {

constexpr NcclResult kUnhandledCudaError = 1, kInvalidArgument = 4;
constexpr int kAborted = 0xee;

// One broadcast of a communicator.
struct Meeting {
  size_t arrived = 0, served = 0;
};

// Of a rank.
struct Call {
  ncclComm* comm;
  const void* from;
  void* to;
  size_t bytes;
  int dtype;
  int root;
  CUstream_st* stream;
};

// Never destroyed: ranks go on while the process ends.
struct Shared {
  static Shared& Get() {
    static Shared* const shared = new Shared();
    return *shared;
  }

  std::mutex mutex;  // of all but `is_launching`
  std::condition_variable changed;
  std::set<const CUctx_st*> running;  // devices with a kernel of a broadcast
  size_t launched = 0, made = 0;
  std::atomic<bool> is_launching = false;
};

thread_local bool is_in_group = false;
thread_local std::vector<Call> calls;
thread_local NcclResult refused = kNcclSuccess;  // what a call of the group has failed with

void Demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "NCCL that stands in: %s\n", what);
  std::abort();
}

// Waits as a kernel does. False: it gives up.
template <typename Condition>
bool Await(std::unique_lock<std::mutex>& lock, const ncclComm& comm, Condition holds) {
  while (!holds()) {
    if (comm.is_aborted || comm.context->lost != 0) return false;
    // Nobody tells when a device is lost.
    Shared::Get().changed.wait_for(lock, std::chrono::milliseconds(1));
  }
  return true;
}

void RunRank(const Call& call, const void* source, Meeting& meeting) {
  const size_t ranks = call.comm->ranks->size();
  const bool is_root = call.comm->rank == static_cast<size_t>(call.root);
  Shared& shared = Shared::Get();
  std::unique_lock lock(shared.mutex);
  Demand(shared.running.insert(call.comm->context).second,
         "two broadcasts run on one device at once");
  ++meeting.arrived;
  shared.changed.notify_all();
  const bool is_whole = Await(lock, *call.comm, [&] { return meeting.arrived == ranks; });
  if (is_whole && is_root) {
    Await(lock, *call.comm, [&] { return meeting.served == ranks - 1; });
  } else if (!is_root) {
    lock.unlock();
    if (is_whole) {
      std::memcpy(call.to, source, call.bytes);
    } else {
      std::memset(call.to, kAborted, call.bytes);
    }
    lock.lock();
    if (is_whole) ++meeting.served;
  }
  shared.running.erase(call.comm->context);
  shared.changed.notify_all();
}

// The calls of a group by communicators, each with its ranks in order.
std::vector<std::vector<Call>> ByCommunicator(std::vector<Call> group) {
  std::vector<std::vector<Call>> sorted;
  while (!group.empty()) {
    const auto ranks = group.front().comm->ranks;
    std::vector<Call> of;
    for (ncclComm* const comm : *ranks) {
      size_t at = 0;
      while (at < group.size() && group[at].comm != comm) ++at;
      Demand(at < group.size(), "a group lacks a rank of a communicator");
      of.push_back(group[at]);
      group.erase(group.begin() + static_cast<ptrdiff_t>(at));
    }
    sorted.push_back(std::move(of));
  }
  return sorted;
}

bool IsGood(const std::vector<Call>& ranks) {
  for (const Call& call : ranks) {
    const bool agrees =
        call.bytes == ranks[0].bytes && call.root == ranks[0].root && call.dtype == kNcclUint8;
    Demand(agrees, "the ranks of a broadcast differ in what they ask for");
    Demand(call.stream->context == call.comm->context, "a rank has a stream of another device");
    Demand(!call.comm->is_aborted, "a communicator is used that was aborted");
    const auto address = reinterpret_cast<Address>(call.to);
    if (!IsDeviceMemory(address, call.bytes) || DeviceOf(address) != call.comm->context->device) {
      return false;
    }
  }
  return ranks[0].root >= 0 && static_cast<size_t>(ranks[0].root) < ranks.size() &&
         ranks[static_cast<size_t>(ranks[0].root)].from ==
             ranks[static_cast<size_t>(ranks[0].root)].to;
}

// Only the first `most` ranks.
NcclResult Launch(const std::vector<Call>& ranks, size_t most) {
  const auto meeting = std::make_shared<Meeting>();
  const void* const source = ranks[static_cast<size_t>(ranks[0].root)].from;
  for (const Call& call : ranks) {
    if (call.comm->context->lost != 0) return kUnhandledCudaError;
    if (most-- == 0) return kUnhandledCudaError;
    Enqueue(call.stream, [=] { RunRank(call, source, *meeting); });
    // Others may do here what they must not.
    if (State::Get().delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  Shared& shared = Shared::Get();
  const std::lock_guard lock(shared.mutex);
  ++shared.launched;
  return kNcclSuccess;
}

}  // namespace

void MayWaitForDevices(const char* function) { Demand(!Shared::Get().is_launching, function); }

size_t LaunchedBroadcasts() {
  const std::lock_guard lock(Shared::Get().mutex);
  return Shared::Get().launched;
}

size_t MadeCommunicators() {
  const std::lock_guard lock(Shared::Get().mutex);
  return Shared::Get().made;
}

NcclResult InitAll(ncclComm** comms, int count, const int* devices) {
  STAND_IN_BEGIN("ncclCommInitAll");
  MayWaitForDevices("a communicator is made while a broadcast is launched");
  Demand(CurrentContext() != nullptr, "no context is current");
  const auto ranks = std::make_shared<std::vector<ncclComm*>>();
  std::set<int> seen;
  for (int rank = 0; rank < count; ++rank) {
    const auto device = static_cast<size_t>(devices[rank]);
    if (!seen.insert(devices[rank]).second || device >= State::Get().contexts.size()) {
      return kInvalidArgument;
    }
    CUctx_st* const context = State::Get().contexts[device].get();
    if (context->lost != 0) return kUnhandledCudaError;
    ranks->push_back(new ncclComm{context, static_cast<size_t>(rank), nullptr});
  }
  for (int rank = 0; rank < count; ++rank) {
    comms[rank] = (*ranks)[static_cast<size_t>(rank)];
    comms[rank]->ranks = ranks;
  }
  const std::lock_guard lock(Shared::Get().mutex);
  ++Shared::Get().made;
  return kNcclSuccess;
}

NcclResult Abort(ncclComm* comm) {
  Shared& shared = Shared::Get();
  {
    const std::lock_guard lock(shared.mutex);
    Demand(!comm->is_aborted, "a communicator is aborted twice");
    comm->is_aborted = true;
  }
  shared.changed.notify_all();
  return kNcclSuccess;
}

NcclResult BeginGroup() {
  STAND_IN_BEGIN("ncclGroupStart");
  Demand(CurrentContext() != nullptr, "no context is current");
  Demand(!Shared::Get().is_launching.exchange(true), "two groups are launched at once");
  is_in_group = true;
  return kNcclSuccess;
}

NcclResult EndGroup() {
  Demand(is_in_group, "no group was started");
  is_in_group = false;
  std::vector<Call> group = std::exchange(calls, {});
  const Result injected = Injected("ncclGroupEnd");
  NcclResult result = std::exchange(refused, kNcclSuccess);
  if (result != kNcclSuccess) group.clear();
  for (const std::vector<Call>& ranks : ByCommunicator(std::move(group))) {
    if (result == kNcclSuccess && !IsGood(ranks)) result = kInvalidArgument;
    if (result == kNcclSuccess) result = Launch(ranks, injected == 0 ? ranks.size() : 1);
  }
  Shared::Get().is_launching = false;
  return injected == 0 ? result : injected;
}

NcclResult Broadcast(const void* from, void* to, size_t count, int dtype, int root, ncclComm* comm,
                     CUstream_st* stream) {
  Demand(is_in_group, "one thread calls for several devices without a group");
  if (const Result injected = Injected("ncclBroadcast"); injected != 0) {
    refused = injected;
    return injected;
  }
  calls.push_back({comm, from, to, count, dtype, root, stream});
  return kNcclSuccess;
}

}  // namespace tensorkv::cuda::stand_in
