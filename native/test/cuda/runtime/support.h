#pragma once

// What the tests of the runtime share: the stand-in's controls, and environments with their notes.
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/runtime.h"

namespace tensorkv::test {

// Of the library that TENSORKV_CUDA_DRIVER names.
void FailLater(const std::string& faults);
size_t UsedBytes(int device);
// Of NCCL, so far.
size_t Broadcasts();
size_t Communicators();
// How much was ever queued on a device.
size_t QueuedWork(int device);
// The kernel `hold` ends from now on.
void LetGo();
// Waits until a thread frees memory.
void AwaitFree();

// The number of an update rule.
double RuleNamed(const char* name);

// Runs parts of this program in a process of its own, with more in its environment.
void RunChild(const std::vector<std::string>& parts, const std::vector<std::string>& settings);

// An environment whose thread sleeps until notes arrive.
class Thread {
 public:
  Thread() : environment_([this] { Ring(); }) {}

  cuda::Environment* operator->() { return &environment_; }
  // The note `number`, when it is there.
  cuda::Arrival Await(uint64_t number) {
    std::unique_lock lock(mutex_);
    for (;;) {
      is_rung_ = false;
      lock.unlock();
      for (cuda::Arrival& each : environment_.TakeArrivals()) {
        arrived_.emplace(each.number, std::move(each));
      }
      lock.lock();
      const auto found = arrived_.find(number);
      if (found != arrived_.end()) {
        cuda::Arrival arrival = std::move(found->second);
        arrived_.erase(found);
        return arrival;
      }
      rung_.wait(lock, [this] { return is_rung_; });
    }
  }

 private:
  void Ring() {
    {
      const std::lock_guard lock(mutex_);
      is_rung_ = true;
    }
    rung_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  bool is_rung_ = false;
  std::map<uint64_t, cuda::Arrival> arrived_;
  cuda::Environment environment_;  // The last: it rings until it has ended.
};

// An array of the operations of `Words`.
struct Part {
  uint64_t id;
  size_t offset = 0;
};

// Writes operations as native/cuda/operations.ts says.
class Words {
 public:
  Words& Sum(size_t length, const std::vector<Part>& inputs, const std::vector<Part>& outs) {
    return Put({1, 0, 0, length, {}, inputs, outs});
  }
  Words& Fill(size_t length, float value, const Part& out) {
    Operation operation = {4, 0, 0, length, {}, {}, {out}};
    std::memcpy(&operation.bits, &value, sizeof(value));
    return Put(operation);
  }
  struct Operation {
    double code, dtype, to;
    size_t length;
    int64_t bits = 0;
    std::vector<Part> inputs = {}, outs = {}, slots = {};
    Part stored = {0}, master = {0}, scratch = {0}, average = {0}, rows = {0};
    std::vector<double> hyper = {};
    double rule = 0, row_length = 0, two_bit = 0, threshold = 0, number = 0;
  };
  Words& Put(const Operation& o) {
    const auto count = [](size_t n) { return static_cast<double>(n); };
    const auto low = static_cast<double>(static_cast<uint32_t>(o.bits));
    const auto high = static_cast<double>(static_cast<int32_t>(o.bits >> 32));
    for (const double word : {o.code, o.dtype, o.to, count(o.length), o.rule, o.row_length,
                              o.two_bit, o.threshold, o.number, low, high, count(o.inputs.size()),
                              count(o.outs.size()), count(o.slots.size()), count(o.hyper.size())}) {
      words_.push_back(word);
    }
    for (const Part& part : {o.stored, o.master, o.scratch, o.average, o.rows}) Put(part);
    for (const auto* const parts : {&o.inputs, &o.outs, &o.slots}) {
      for (const Part& part : *parts) Put(part);
    }
    words_.insert(words_.end(), o.hyper.begin(), o.hyper.end());
    ++count_;
    return *this;
  }
  void Run(cuda::Environment* environment, int device) const {
    environment->Run(device, words_, count_);
  }
  size_t count() const { return count_; }
  std::vector<double>& words() { return words_; }

 private:
  void Put(const Part& part) {
    words_.push_back(static_cast<double>(part.id));
    words_.push_back(static_cast<double>(part.offset));
  }

  std::vector<double> words_;
  size_t count_ = 0;
};

// The name of the code that `call` fails with; empty: it does not.
template <typename Call>
std::string CodeOf(Call call) {
  try {
    call();
  } catch (const cuda::Failure& failure) {
    CHECK(std::string(failure.what()).size() > 10);
    return failure.name();
  }
  return "";
}

inline std::vector<float> Read(Thread& thread, uint64_t id, size_t length, size_t offset = 0) {
  std::vector<float> out(length);
  thread->Download(id, offset, out.data(), length * sizeof(float));
  return out;
}

void TestCalls();
void TestDecoding();
void TestDecodingOfRows();
void TestDecodingOfWholeRules();
void TestPrograms(uint64_t seed);
void TestPrepared();
void TestEnds();
void TestFaults();
void TestBroadcasts(uint64_t seed);
void TestBroadcastFaults();
void TestFreesWithoutTheLock();
void TestPlainMemory();
void TestFit();
// In a process of its own: `reason` says why there is no CUDA; which of two devices can be used.
void TestReason(const std::string& reason);
void TestMixedDevices();

}  // namespace tensorkv::test
