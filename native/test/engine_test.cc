#include "../src/engine/engine.h"

#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

using engine::Access;
using engine::Device;
using engine::Engine;
using engine::KeyId;
using engine::Made;
using engine::Order;
using engine::Pin;
using engine::Plan;
using engine::Rank;
using engine::Ticket;

constexpr Rank kRanks = 4;
constexpr uint32_t kRounds = 200;
// Small ones, one of several chunks, one of no elements.
constexpr size_t kKeyLengths[] = {1, 16, 1000, 0, 300'000};
constexpr KeyId kKeys = sizeof(kKeyLengths) / sizeof(kKeyLengths[0]);

// One device's thread: every round it pushes rank + round to each key and pulls the sum.
class Worker {
 public:
  Worker(Engine& engine, Rank rank) : engine_(engine), device_(engine.Attach(rank, [] {})) {
    device_->bindings.resize(2 * kKeys);
    for (KeyId key = 0; key < kKeys; ++key) {
      tensors_.push_back(std::vector<float>(kKeyLengths[key]));
      tensors_.push_back(std::vector<float>(kKeyLengths[key]));
    }
    for (KeyId key = 0; key < 2 * kKeys; ++key) {
      device_->bindings[key] = {reinterpret_cast<char*>(tensors_[key].data()), tensors_[key].size(),
                                Dtype::kFloat32};
    }
  }
  ~Worker() { engine_.Detach(*device_); }

  // Ids of requests that a recall has given back.
  std::mutex mutex;
  std::vector<double> returned;

  void Run() {
    for (uint32_t round = 0; round < kRounds; ++round) {
      for (KeyId key = 0; key < kKeys; ++key) {
        for (float& each : tensors_[2 * key]) each = static_cast<float>(device_->rank + round);
      }
      std::vector<double> open;
      for (KeyId key = 0; key < kKeys; ++key) open.push_back(Send(round, key));
      while (!open.empty()) Look(round, &open);
      const float sum = static_cast<float>(kRanks * round + kRanks * (kRanks - 1) / 2);
      for (KeyId key = 0; key < kKeys; ++key) {
        for (const float each : tensors_[2 * key + 1]) CHECK(each == sum);
      }
    }
  }

 private:
  double Send(uint32_t round, KeyId key) {
    const int32_t words[] = {static_cast<int32_t>(key), 1, static_cast<int32_t>(2 * key), 1,
                             static_cast<int32_t>(2 * key + 1)};
    const double id = 1 + round * kKeys + key;
    const Order order = {
        .id = id, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = words, .count = 5};
    // Refused while the store is recalled.
    while (engine_.Submit(*device_, &order, 1, key % 2 == 0 ? size_t{1} << 20 : 0) == 0) {
      std::this_thread::yield();
    }
    return id;
  }

  void Look(uint32_t round, std::vector<double>* open) {
    double ids[kKeys];
    engine_.Wait(*device_, 50);
    for (size_t count = engine_.TakeEnded(*device_, ids, kKeys); count > 0; --count) {
      std::erase(*open, ids[count - 1]);
    }
    std::vector<double> again;
    {
      const std::lock_guard lock(mutex);
      again.swap(returned);
    }
    for (const double id : again) Send(round, static_cast<KeyId>(id - 1 - round * kKeys));
  }

  Engine& engine_;
  std::shared_ptr<Device> device_;
  std::vector<std::vector<float>> tensors_;
};

// Takes the store back again and again, and has devices send once more what had not ended.
void RecallOften(Engine& engine, std::vector<std::unique_ptr<Worker>>& workers,
                 const std::atomic<bool>& is_over) {
  const std::vector<Rank> live = {0, 1, 2, 3};
  while (!is_over) {
    engine.Recall(
        [&](const Ticket& ticket) {
          const std::lock_guard lock(workers[ticket.rank]->mutex);
          workers[ticket.rank]->returned.push_back(ticket.id);
        },
        [](const Pin&) {}, [](KeyId, const Made&) {});
    engine.Lease(live, {});
    for (const Rank rank : live) engine.Call(rank);
    std::this_thread::yield();
  }
}

}  // namespace

void TestEngine(const KernelTable& kernels) {
  int64_t updates = 0;
  std::vector<std::vector<float>> stored;
  for (const size_t length : kKeyLengths) stored.emplace_back(length);
  const auto engine =
      std::make_shared<Engine>(kRanks, engine::Consistency::kSync, 0, &kernels, &updates);
  for (KeyId key = 0; key < kKeys; ++key) {
    Plan plan;
    plan.access = Access::kAssign;
    plan.length = kKeyLengths[key];
    plan.buffers[0] = stored[key].data();
    engine->SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0);
  }
  std::vector<std::unique_ptr<Worker>> workers;
  for (Rank rank = 0; rank < kRanks; ++rank) {
    workers.push_back(std::make_unique<Worker>(*engine, rank));
  }
  engine->Lease({0, 1, 2, 3}, {});
  std::atomic<bool> is_over{false};
  std::thread coordinator([&] { RecallOften(*engine, workers, is_over); });
  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&] { worker->Run(); });
  for (std::thread& thread : threads) thread.join();
  is_over = true;
  coordinator.join();
  engine->Close();
  CHECK(__atomic_load_n(&updates, __ATOMIC_RELAXED) == int64_t{kRounds} * kKeys);
}

}  // namespace tensorkv::test
