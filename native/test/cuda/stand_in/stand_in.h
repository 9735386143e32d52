#pragma once

// A CUDA driver without a GPU, for tests: devices are memory of the host, a stream is a thread of
// its own, and work of different streams runs in any order that events allow, after delays by
// chance. Stricter than the real one where that finds mistakes: copies take pinned memory alone,
// freed memory is written over at once, fresh memory holds anything.
//
// The environment says what it is like:
//   TENSORKV_STAND_IN_DEVICES   how many, default 2
//   TENSORKV_STAND_IN_BYTES     of each, default 1 GiB
//   TENSORKV_STAND_IN_POOLS     0: without memory pools
//   TENSORKV_STAND_IN_VERSION   of CUDA, default 13000
//   TENSORKV_STAND_IN_CAPABILITIES  of each device, such as "75,90", default 90 for all
//   TENSORKV_STAND_IN_SEED      of the delays
//   TENSORKV_STAND_IN_DELAY     the longest, in microseconds, default 200; 0: none
//   TENSORKV_STAND_IN_NCCL      the version of its NCCL, default 22703; TENSORKV_NCCL names the
//                               library
//   TENSORKV_STAND_IN_FAIL      function:n:code, ...: its n-th call from the first on fails with
//   code.
//                               `kernel` stands for the n-th kernel that runs, which fails later.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../../../src/cuda/driver.h"

namespace tensorkv::cuda::stand_in {

constexpr Result kInvalidContext = 201, kInvalidHandle = 400;

// What an event stands for: once it was recorded, until that has happened.
class Mark {
 public:
  void Reach();
  bool is_reached();
  void Wait();

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  bool is_reached_ = false;
};

}  // namespace tensorkv::cuda::stand_in

struct ncclComm;

struct CUctx_st {
  int device;
  std::atomic<int> lost = 0;  // the error that sticks

  // Numbers of the work that has not ended.
  std::mutex mutex;
  std::condition_variable ended;
  std::set<uint64_t> open;
  uint64_t last = 0;
};

struct CUevent_st {
  CUctx_st* context;
  std::shared_ptr<tensorkv::cuda::stand_in::Mark> mark;
};

struct CUstream_st {
  CUctx_st* context;
  void* queue;  // a Queue of streams.cc
};

struct CUmod_st {
  std::string text;  // "stand-in": our own kernels
};

struct CUfunc_st {
  explicit CUfunc_st(std::string given) : name(std::move(given)) {}
  const std::string name;
  std::atomic<int> most_shared_bytes = 48 << 10;
};

struct CUmemPoolHandle_st {
  int device;
};

namespace tensorkv::cuda::stand_in {

struct Memory {
  size_t bytes;
  int device;
  bool is_pooled;
};

// Everything but streams. Never destroyed.
struct State {
  static State& Get();

  std::vector<std::unique_ptr<CUctx_st>> contexts;
  std::vector<std::unique_ptr<CUmemPoolHandle_st>> pools;
  bool has_pools = true;
  int version = 0;
  std::vector<int> capabilities;  // one a device
  size_t limit = 0;
  uint64_t seed = 0;
  unsigned delay_us = 0;

  std::mutex mutex;
  std::map<Address, Memory> memory;
  std::vector<size_t> used;              // bytes a device
  std::map<const char*, size_t> pinned;  // where it begins: its bytes
  struct Fault {
    std::string function;
    int left;
    int code;
  };
  std::vector<Fault> faults;
  std::vector<std::unique_ptr<CUmod_st>> modules;
  std::map<std::pair<CUmod_st*, std::string>, std::unique_ptr<CUfunc_st>> functions;
};

// The code that this call of `function` was told to fail with, else 0.
Result Injected(const char* function);
void AddFaults(const char* list);

// The current context; null: none.
CUctx_st* CurrentContext();
// What a call in it has to fail with, else 0: there is none, or it is lost.
Result ContextResult();

// Whether there are `bytes` bytes of one allocation.
bool IsDeviceMemory(Address address, size_t bytes);
// Whose memory that is.
int DeviceOf(Address address);
bool IsPinned(const void* data, size_t bytes);
// Writes over it and frees it.
void FreeNow(Address address);

// Queues work behind all of the stream. `always`: on a lost device too, where other work is
// skipped.
void Enqueue(CUstream_st* stream, std::function<void()> work, bool always = false);
// Waits for all that is queued so far.
void WaitForContext(CUctx_st* context);

// What tests wait for, or have a kernel wait for.
class Gate {
 public:
  void Set(bool is_open);
  void Pass();

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};
// The kernel `hold` passes the first; who frees memory opens the second.
Gate& HoldGate();
Gate& FreeGate();

// The sizes of the parameters of a kernel, ours or of the tests; false where there is none.
bool ParametersOf(const std::string& name, std::vector<size_t>* sizes);
// Runs it. False: it faults.
bool RunKernel(const std::string& name, const unsigned* grid, const unsigned* block,
               const std::vector<std::vector<char>>& arguments);

// A call of `function` may wait for all that devices do: nobody may be launching a broadcast.
void MayWaitForDevices(const char* function);
size_t LaunchedBroadcasts();
size_t MadeCommunicators();

// Functions of NCCL.
int InitAll(ncclComm** comms, int count, const int* devices);
int Abort(ncclComm* comm);
int BeginGroup();
int EndGroup();
int Broadcast(const void* from, void* to, size_t count, int dtype, int root, ncclComm* comm,
              CUstream_st* stream);

// Each fills in the functions of one part.
void AddDevices(Driver* driver);
void AddStreams(Driver* driver);
void AddMemory(Driver* driver);
void AddModules(Driver* driver);

}  // namespace tensorkv::cuda::stand_in

// At the begin of every function of the driver.
#define STAND_IN_BEGIN(name)                                                    \
  do {                                                                          \
    if (const Result injected = Injected(name); injected != 0) return injected; \
  } while (false)
