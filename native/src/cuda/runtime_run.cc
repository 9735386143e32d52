#include <algorithm>
#include <cstring>

#include "fatbin.h"
#include "plan.h"
#include "runtime.h"
#include "runtime_decode.h"
#include "runtime_lane.h"
#include "runtime_plans.h"
#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

// The following are called with the lock and the context of the device.

// A kernel of ours.
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

}  // namespace

bool AreWhereTheyWere(std::span<const Use> uses) {
  return std::all_of(uses.begin(), uses.end(),
                     [](const Use& use) { return use.allocation->address == use.address; });
}

void UseAll(Issue& issue, std::span<const Use> uses) {
  for (const Use& use : uses) {
    if (use.writes) {
      issue.Writes(*use.allocation);
    } else {
      issue.Reads(*use.allocation);
    }
  }
}

void QueueLaunches(Device& device, std::span<const cuda::Launch> launches, Address memory,
                   CUstream_st* stream) {
  const Driver& driver = Process::Get().driver();
  std::vector<CUfunc_st*> functions;
  functions.reserve(launches.size());
  for (const cuda::Launch& launch : launches) {
    functions.push_back(FunctionOf(device, launch));
  }
  for (size_t k = 0; k < launches.size(); ++k) {
    const cuda::Launch& launch = launches[k];
    Address memory_argument = memory;
    uint64_t table_argument = launch.table_offset;
    void* arguments[] = {&memory_argument, &table_argument};
    const Result result = driver.LaunchKernel(functions[k], launch.blocks, 1, 1, launch.threads, 1,
                                              1, 0, stream, arguments, nullptr);
    if (k > 0 && result != kSuccess) {
      Lose(device, "launch " + std::to_string(k + 1) + " of " + std::to_string(launches.size()) +
                       " failed with " + driver.NameOf(result));
      RequireAlive(device);
    }
    Check(device, result, "cuLaunchKernel");
  }
}

void Environment::Run(int number, std::span<const double> words, size_t count) {
  Lane& lane = LaneOn(number);
  try {
    RunNow(lane, words, count);
    return;
  } catch (const Failure& failure) {
    if (failure.code() != FailureCode::kMemoryLimit) throw;
  }
  // What was released may not be free yet.
  WaitForReleases(lane.device());
  RunNow(lane, words, count);
}

void Environment::RunNow(Lane& lane, std::span<const double> words, size_t count) {
  const Driver& driver = Process::Get().driver();
  for (bool is_done = false; !is_done;) {
    Decoded decoded =
        Decode(words, count, lane.device(), [this](uint64_t id) { return FindOne(id); });
    const Plan plan = PlanOf(decoded.operations);
    if (plan.launches.empty()) return;
    char* const staged = lane.Stage(plan.table.size());
    std::memcpy(staged, plan.table.data(), plan.table.size());
    const size_t bytes = plan.table.size() + plan.temporary_bytes;
    if (!lane.HasPlanMemory(bytes)) Tidy(lane.device());
    Issue issue(lane);
    if (!AreWhereTheyWere(decoded.uses)) continue;  // Decoded again.
    const Address memory = lane.PlanMemory(bytes);
    UseAll(issue, decoded.uses);
    CUstream_st* const stream = issue.stream().handle;
    issue.Check(driver.MemcpyHtoDAsync(memory, staged, plan.table.size(), stream),
                "cuMemcpyHtoDAsync");
    QueueLaunches(lane.device(), plan.launches, memory, stream);
    lane.EndPlan();
    issue.Finish();
    is_done = true;
  }
}

}  // namespace tensorkv::cuda
