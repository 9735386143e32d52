#include "engine_remote.h"

#include <algorithm>
#include <array>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

#include "operations.h"
#include "runtime.h"

namespace tensorkv::cuda {
namespace {

using engine::Job;
using engine::RemotePlace;

// Writes operations as native/cuda/operations.ts says.
class Words {
 public:
  void AddRound(const Job& job, const engine::Plan& plan, std::span<const double> hyper);
  std::span<const double> words() const { return words_; }
  size_t count() const { return count_; }

 private:
  void AddHead(Code code, const engine::Plan& plan, size_t rule, size_t inputs, size_t outs,
               size_t slots, size_t hyper);
  // Stored, master, scratch, average, rows.
  void AddPlaces(std::array<const void*, 5> places) {
    for (const void* const each : places) AddPlace(each);
  }
  void AddPlace(const void* place) {
    if (place == nullptr) return Add({0, 0});
    const RemotePlace at(place);
    Add({static_cast<double>(at.id()), static_cast<double>(at.offset())});
  }
  void Add(std::initializer_list<double> words) { words_.insert(words_.end(), words); }

  std::vector<double> words_;
  size_t count_ = 0;
};

void Words::AddHead(Code code, const engine::Plan& plan, size_t rule, size_t inputs, size_t outs,
                    size_t slots, size_t hyper) {
  const auto dtype = static_cast<double>(plan.dtype);
  const auto number = [](size_t each) { return static_cast<double>(each); };
  constexpr double kNoRows = 0, kNoCodec = 0, kNoScalar = 0;
  Add({number(static_cast<size_t>(code)), dtype, dtype, number(plan.length), number(rule), kNoRows,
       kNoCodec, kNoCodec, kNoScalar, kNoScalar, kNoScalar, number(inputs), number(outs),
       number(slots), number(hyper)});
  ++count_;
}

// The values are added up, the rule makes a step, and the outs get what it has made.
void Words::AddRound(const Job& job, const engine::Plan& plan, std::span<const double> hyper) {
  const void* const stored = plan.buffers[0];
  const bool is_step = plan.access == engine::Access::kStep;
  if (is_step) {
    AddHead(Code::kStep, plan, plan.rule, job.inputs.size(), 0, plan.slots.size(), hyper.size());
    AddPlaces({stored, plan.master, nullptr, plan.average, nullptr});
  } else {
    AddHead(Code::kSum, plan, 0, job.inputs.size(), 1, 0, 0);
    AddPlaces({});
  }
  for (const void* const each : job.inputs) AddPlace(each);
  if (is_step) {
    for (const void* const each : plan.slots) AddPlace(each);
    words_.insert(words_.end(), hyper.begin(), hyper.end());
  } else {
    AddPlace(stored);
  }
  if (job.outs.empty()) return;
  AddHead(Code::kSum, plan, 0, 1, job.outs.size(), 0, 0);
  AddPlaces({});
  AddPlace(stored);
  for (const void* const each : job.outs) AddPlace(each);
}

class Rounds : public engine::RemoteRounds {
 public:
  Rounds(Environment& environment, std::shared_ptr<Prepared> prepared)
      : environment_(environment), prepared_(std::move(prepared)) {}

  bool Queue(std::span<const std::span<const double>> hyper) override {
    try {
      rows_.clear();
      // A key without a step has none.
      std::ranges::copy_if(hyper, std::back_inserter(rows_),
                           [](const auto& row) { return !row.empty(); });
      return environment_.Run(*prepared_, rows_);
    } catch (const std::exception&) {
      return false;  // The coordinator meets it as well.
    }
  }

 private:
  Environment& environment_;
  const std::shared_ptr<Prepared> prepared_;
  std::vector<std::span<const double>> rows_;
};

class CudaRemote : public engine::Remote {
 public:
  CudaRemote() : environment_([] {}) {}

  std::unique_ptr<engine::RemoteRounds> Prepare(
      std::span<const Job> jobs, std::span<const engine::Plan* const> plans,
      std::span<const std::span<const double>> hyper) override {
    try {
      Words words;
      for (size_t k = 0; k < jobs.size(); ++k) words.AddRound(jobs[k], *plans[k], hyper[k]);
      auto prepared = environment_.Prepare(plans[0]->device, words.words(), words.count());
      return std::make_unique<Rounds>(environment_, std::move(prepared));
    } catch (const std::exception&) {
      return nullptr;
    }
  }

 private:
  Environment environment_;
};

}  // namespace

std::unique_ptr<engine::Remote> MakeRemote() { return std::make_unique<CudaRemote>(); }

}  // namespace tensorkv::cuda
