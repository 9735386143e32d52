#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "rules.h"
#include "runtime.h"
#include "runtime_plans.h"

namespace tensorkv::cuda {
namespace {

// Parts of a table that are copied one by one; of more all of it is.
constexpr size_t kMostParts = 8;

}  // namespace

Prepared::Prepared(Lane& own_lane, Decoded decoded)
    : lane(own_lane), uses(std::move(decoded.uses)), plan(PlanOf(decoded.operations)) {
  for (const Operation& operation : decoded.operations) {
    row_of.push_back(rows);
    if (operation.code != Code::kStep) continue;
    ++rows;
    // With other hyper-parameters the launches of other rules would be others too.
    Expect(RuleOf(operation.rule) == Rule::kElements, "Expected a rule of single elements");
  }
}

Prepared::~Prepared() {
  if (memory == 0) return;
  const std::lock_guard lock(Process::Get().mutex);
  if (!LostReason(lane.device()).empty()) return;
  try {
    const Current current(Process::Get().driver(), lane.device());
    GiveBack({lane.stream(), lane.stream()->issued}, memory, kind);
  } catch (const Failure&) {
    return;  // It is better kept than given back too early.
  }
}

bool Prepared::Take(std::span<const std::span<const double>> hyper) {
  Expect(hyper.size() == rows, "Expected hyper-parameters of each step");
  const double* last_row = nullptr;
  uint64_t last_at = UINT64_MAX;
  for (const auto& [operation, at] : plan.hypers) {
    const std::span<const double> row = hyper[row_of[operation]];
    if (at == last_at && row.data() == last_row) continue;
    Expect(row.size() <= kMostHyper, "Expected fewer hyper-parameters");
    std::array<double, kMostHyper> whole{};
    std::copy(row.begin(), row.end(), whole.begin());
    std::byte* const there = plan.table.data() + at;
    // By their bits: 0 and -0 are others. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    if (std::memcmp(there, whole.data(), sizeof(whole)) != 0) {
      if (at == last_at) return false;
      std::memcpy(there, whole.data(), sizeof(whole));
      changed.push_back({at, sizeof(whole)});
    }
    last_row = row.data();
    last_at = at;
  }
  return true;
}

std::shared_ptr<Prepared> Environment::Prepare(int device, std::span<const double> words,
                                               size_t count) {
  Lane& lane = LaneOn(device);
  return std::make_shared<Prepared>(
      lane, Decode(words, count, lane.device(), [this](uint64_t id) { return FindOne(id); }));
}

bool Environment::Run(Prepared& prepared, std::span<const std::span<const double>> hyper) {
  const Driver& driver = Process::Get().driver();
  Lane& lane = prepared.lane;
  const Plan& plan = prepared.plan;
  if (!prepared.Take(hyper)) return false;
  if (plan.launches.empty()) return true;
  std::vector<Prepared::Part>& changed = prepared.changed;
  if (prepared.memory == 0 || changed.size() > kMostParts) changed = {{0, plan.table.size()}};
  size_t bytes = 0;
  for (const auto& part : changed) bytes += part.bytes;
  if (lane.WaitsToStage(bytes)) return false;
  char* staged = bytes > 0 ? lane.Stage(bytes) : nullptr;
  Issue issue(lane);
  if (!AreWhereTheyWere(prepared.uses)) return false;
  if (prepared.memory == 0) {
    prepared.memory = Reserve(lane.device(), *lane.stream(),
                              plan.table.size() + plan.temporary_bytes, &prepared.kind);
  }
  UseAll(issue, prepared.uses);
  CUstream_st* const stream = issue.stream().handle;
  for (const auto& part : changed) {
    if (staged == nullptr) break;  // Nothing has changed.
    std::memcpy(staged, plan.table.data() + part.begin, part.bytes);
    issue.Check(driver.MemcpyHtoDAsync(prepared.memory + part.begin, staged, part.bytes, stream),
                "cuMemcpyHtoDAsync");
    staged += part.bytes;
  }
  QueueLaunches(lane.device(), plan.launches, prepared.memory, stream);
  try {
    issue.Finish();
  } catch (const std::bad_alloc&) {
    Lose(lane.device(), "this process had no memory to note what it does");
  }
  changed.clear();
  return true;
}

}  // namespace tensorkv::cuda
