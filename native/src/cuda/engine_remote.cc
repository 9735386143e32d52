#include "engine_remote.h"

#include <exception>
#include <initializer_list>
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
    for (const void* const each : {stored, static_cast<const void*>(plan.master)}) AddPlace(each);
    AddPlace(nullptr);
    AddPlace(plan.average);
    AddPlace(nullptr);
  } else {
    AddHead(Code::kSum, plan, 0, job.inputs.size(), 1, 0, 0);
    for (int k = 0; k < 5; ++k) AddPlace(nullptr);
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
  for (int k = 0; k < 5; ++k) AddPlace(nullptr);
  AddPlace(stored);
  for (const void* const each : job.outs) AddPlace(each);
}

class Rounds : public engine::RemoteRounds {
 public:
  Rounds(Environment& environment, std::shared_ptr<Prepared> prepared,
         std::span<const engine::Plan* const> plans)
      : environment_(environment), prepared_(std::move(prepared)) {
    for (const engine::Plan* const plan : plans) {
      steps_.push_back(plan->access == engine::Access::kStep);
    }
  }

  bool Queue(std::span<const std::span<const double>> hyper) override {
    try {
      rows_.clear();
      for (size_t k = 0; k < hyper.size(); ++k) {
        if (steps_[k]) rows_.push_back(hyper[k]);
      }
      return environment_.Run(*prepared_, rows_);
    } catch (const std::exception&) {
      return false;  // The coordinator meets it as well.
    }
  }

 private:
  Environment& environment_;
  const std::shared_ptr<Prepared> prepared_;
  std::vector<bool> steps_;  // of each key
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
      return std::make_unique<Rounds>(environment_, std::move(prepared), plans);
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
