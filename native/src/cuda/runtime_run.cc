#include <algorithm>
#include <cstring>

#include "fatbin.h"
#include "plan.h"
#include "runtime.h"
#include "runtime_decode.h"
#include "runtime_lane.h"
#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

// Without asking for more; a kernel that needs it says so once.
constexpr uint32_t kSharedBytes = uint32_t{48} << 10;
constexpr uint32_t kMostSharedBytes = uint32_t{96} << 10;
constexpr size_t kTemporaryAlignment = 256;

// A kernel of ours. With the lock and the context of the device.
CUfunc_st* FunctionOf(Device& device, const cuda::Launch& launch) {
  CUfunc_st*& function = device.kernels[launch.kernel];
  if (function != nullptr) return function;
  const Driver& driver = Process::Get().driver();
  if (device.module == nullptr) {
    const void* const image =
        driver.is_stand_in ? static_cast<const void*>("stand-in") : Fatbin().data();
    Check(device, driver.ModuleLoadData(&device.module, image), "cuModuleLoadData");
  }
  Check(device, driver.ModuleGetFunction(&function, device.module, launch.kernel),
        "cuModuleGetFunction");
  return function;
}

void Queue(Device& device, const cuda::Launch& launch, Address memory, CUstream_st* stream) {
  const Driver& driver = Process::Get().driver();
  CUfunc_st* const function = FunctionOf(device, launch);
  if (launch.shared_bytes > kSharedBytes) {
    Check(device, driver.FuncSetAttribute(function, kMaxDynamicSharedBytes, kMostSharedBytes),
          "cuFuncSetAttribute");
  }
  Address memory_argument = memory;
  uint64_t table_argument = launch.table_offset;
  void* arguments[] = {&memory_argument, &table_argument};
  Check(device,
        driver.LaunchKernel(function, launch.blocks, 1, 1, launch.threads, 1, 1,
                            launch.shared_bytes, stream, arguments, nullptr),
        "cuLaunchKernel");
}

// An allocation that was moved since is decoded again.
bool IsWhereItWas(const Use& use) { return use.allocation->address == use.address; }

}  // namespace

void Environment::Run(int number, std::span<const double> words, size_t count) {
  Process& process = Process::Get();
  Lane& lane = LaneOn(number);
  const Driver& driver = process.driver();
  for (bool is_done = false; !is_done;) {
    Decoded decoded =
        Decode(words, count, lane.device(), [this](uint64_t id) { return FindOne(id); });
    const Plan plan = PlanOf(decoded.operations);
    if (plan.launches.empty()) return;
    char* const staged = lane.Stage(plan.table.size());
    std::memcpy(staged, plan.table.data(), plan.table.size());
    Issue issue(lane);
    if (!std::all_of(decoded.uses.begin(), decoded.uses.end(), IsWhereItWas)) continue;
    const size_t begin =
        (plan.table.size() + kTemporaryAlignment - 1) / kTemporaryAlignment * kTemporaryAlignment;
    const Address memory = lane.PlanMemory(std::max(begin + plan.temporary_bytes, size_t{1}));
    for (const Use& use : decoded.uses) {
      if (use.writes) {
        issue.Writes(*use.allocation);
      } else {
        issue.Reads(*use.allocation);
      }
    }
    CUstream_st* const stream = issue.stream().handle;
    if (!plan.table.empty()) {
      issue.Check(driver.MemcpyHtoDAsync(memory, staged, plan.table.size(), stream),
                  "cuMemcpyHtoDAsync");
    }
    for (const cuda::Launch& launch : plan.launches) Queue(lane.device(), launch, memory, stream);
    lane.EndPlan();
    issue.Finish();
    is_done = true;
  }
}

}  // namespace tensorkv::cuda
