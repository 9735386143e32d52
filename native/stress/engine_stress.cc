// The engine under load, for a sanitizer to look at: devices on threads with batches of small keys
// and a large one, blocking and on an event loop, a coordinator that takes the store back again and
// again, and devices that end with requests open.
//
//   tensorkv_stress [operations]     an operation is a push or a pull of one key
//
// TENSORKV_SEED replays the choices of a run, though not the order in which threads come by.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "../test/check.h"
#include "../test/watchdog.h"
#include "engine/engine.h"

namespace tensorkv::stress {
namespace {

using engine::Access;
using engine::Consistency;
using engine::Device;
using engine::Engine;
using engine::KeyId;
using engine::Order;
using engine::Plan;
using engine::Rank;
using engine::Ticket;

constexpr Rank kRanks = 4;
constexpr KeyId kSmallKeys = 64;
constexpr KeyId kKeys = kSmallKeys + 1;
constexpr size_t kSmallLength = 8;
constexpr size_t kLargeLength = 300'000;
constexpr uint32_t kOrders = 8;
// Every batch has a push and a pull of each small key.
constexpr uint32_t kBatchOperations = 2 * kSmallKeys;

constexpr uint32_t kBatchesPerPause = 8;
constexpr uint32_t kBatchesPerDeath = 8;  // about

// Much longer than a run: a wake-up that is lost shows.
constexpr double kSliceMs = 3'600'000;

size_t LengthOf(KeyId key) { return key < kSmallKeys ? kSmallLength : kLargeLength; }

// What the event loop of a device is: somebody rings, it looks.
struct EventLoop {
  std::atomic<bool> was_rung{false};
  // Written when the device has gone, and read by whoever rings it after all.
  bool is_gone = false;

  void Ring() {
    CHECK(!is_gone);
    was_rung = true;
  }
};

// A device's thread, through several incarnations.
class Worker {
 public:
  Worker(Engine& engine, Rank rank, uint64_t seed) : engine_(engine), rank_(rank), random_(seed) {
    for (KeyId key = 0; key < kKeys; ++key) {
      values_.emplace_back(LengthOf(key), static_cast<float>(rank + 1));
      outs_.emplace_back(LengthOf(key));
    }
    Attach();
  }
  ~Worker() { Detach(); }

  void Run(uint32_t batches, bool dies) {
    for (uint32_t batch = 0; batch < batches; ++batch) {
      if (rank_ == 0 && batch % kBatchesPerPause == 0) Pause();
      SubmitBatch(batch % 64 == 0);
      if (dies && Pick(kBatchesPerDeath) == 0) {
        Die();
        continue;
      }
      while (!open_.empty()) Look();
      for (const auto& out : outs_) CHECK(out.front() == out.back());
    }
  }

  // The coordinator's side: what a recall has given back.
  void GiveBack(double id) {
    const std::lock_guard lock(mutex_);
    returned_.push_back(id);
  }
  // Its exit was noticed, and the engine no longer touches its tensors.
  std::atomic<bool> is_dead{false};

 private:
  // Keeps the others waiting for longer than they look for news: those that block park.
  static void Pause() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
    while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
  }

  uint32_t Pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

  void Attach() {
    loop_ = std::make_shared<EventLoop>();
    device_ = engine_.Attach(rank_, [loop = loop_.get()] { loop->Ring(); });
    device_->bindings.resize(2 * kKeys);
    for (KeyId key = 0; key < kKeys; ++key) {
      const size_t length = LengthOf(key);
      const auto bind = [&](std::vector<float>& data) {
        return engine::Binding{reinterpret_cast<char*>(data.data()), length, Dtype::kFloat32};
      };
      device_->bindings[2 * key] = bind(values_[key]);
      device_->bindings[2 * key + 1] = bind(outs_[key]);
    }
  }

  void Detach() {
    engine_.Detach(*device_);
    loop_->is_gone = true;
  }

  // Ends with requests open, and comes again once the coordinator has seen it.
  void Die() {
    Detach();
    is_dead = true;
    while (is_dead) std::this_thread::yield();
    open_.clear();
    {
      const std::lock_guard lock(mutex_);
      returned_.clear();
    }
    Attach();
  }

  void SubmitBatch(bool with_large) {
    std::vector<std::vector<int32_t>> words;
    for (uint32_t i = 0; i < kOrders; ++i) {
      words.emplace_back();
      const auto end = static_cast<int32_t>((i + 1) * kSmallKeys / kOrders);
      for (auto key = static_cast<int32_t>(i * kSmallKeys / kOrders); key < end; ++key) {
        words.back().insert(words.back().end(), {key, 1, 2 * key, 1, 2 * key + 1});
      }
    }
    if (with_large) {
      constexpr auto kLarge = static_cast<int32_t>(kSmallKeys);
      words.push_back({kLarge, 1, 2 * kLarge, 1, 2 * kLarge + 1});
    }
    std::vector<Order> orders;
    for (const auto& each : words) {
      orders.push_back({.id = ++last_id_,
                        .deadline_ms = 0,
                        .priority = Pick(8) == 0 ? 1.0 : 0.0,
                        .is_disjoint = Pick(2) == 0,
                        .words = each.data(),
                        .count = each.size()});
      open_.insert(last_id_);
      SentOf(last_id_) = each;
    }
    Send(orders);
  }

  // Refused while the store is recalled.
  void Send(const std::vector<Order>& orders) {
    const size_t budget = Pick(4) == 0 ? 0 : Pick(2) == 0 ? size_t{1} << 20 : Engine::kUnlimited;
    for (size_t taken = 0; taken < orders.size();) {
      const size_t more = engine_.Submit(*device_, orders.data() + taken, orders.size() - taken,
                                         budget, Pick(2) == 0);
      if (more == 0) std::this_thread::yield();
      taken += more;
    }
    Take();
  }

  void Look() {
    if (Pick(2) == 0) {
      double ids[5];
      const size_t count = engine_.Wait(*device_, kSliceMs, ids, 5);
      End(ids, count);
    } else {
      while (!loop_->was_rung.exchange(false) && !HasReturned()) std::this_thread::yield();
    }
    Take();
    std::vector<double> again;
    {
      const std::lock_guard lock(mutex_);
      again.swap(returned_);
    }
    for (const double id : again) {
      if (open_.count(id) == 0) continue;
      const std::vector<int32_t>& words = SentOf(id);
      Send({{.id = id,
             .deadline_ms = 0,
             .priority = 0,
             .is_disjoint = true,
             .words = words.data(),
             .count = words.size()}});
    }
  }

  void Take() {
    double ids[5];
    for (size_t count = 5; count == 5;) {
      count = device_->inbox.Take(ids, 5);
      End(ids, count);
    }
  }

  void End(const double* ids, size_t count) {
    for (size_t i = 0; i < count; ++i) CHECK(open_.erase(ids[i]) == 1);
    if (count > 0) test::Watchdog::Note();
  }

  std::vector<int32_t>& SentOf(double id) { return sent_[static_cast<size_t>(id) % sent_.size()]; }

  bool HasReturned() {
    const std::lock_guard lock(mutex_);
    return !returned_.empty();
  }

  Engine& engine_;
  const Rank rank_;
  std::mt19937_64 random_;
  std::shared_ptr<EventLoop> loop_;
  std::shared_ptr<Device> device_;
  std::vector<std::vector<float>> values_, outs_;
  double last_id_ = 0;
  std::set<double> open_;
  std::vector<std::vector<int32_t>> sent_{4 * kOrders};
  std::mutex mutex_;
  std::vector<double> returned_;
};

using Workers = std::vector<std::unique_ptr<Worker>>;

// Takes the store back now and then, reads it, and notices who is dead.
void Coordinate(Engine& engine, std::vector<std::vector<float>>& stored, Workers& workers,
                const std::atomic<bool>& is_over) {
  const std::vector<Rank> live = {0, 1, 2, 3};
  for (uint32_t turn = 0; !is_over; ++turn) {
    bool has_dead = false;
    for (const auto& worker : workers) has_dead = has_dead || worker->is_dead;
    if (turn % 512 == 0 || has_dead) {
      std::vector<bool> was_dead;
      for (const auto& worker : workers) was_dead.push_back(worker->is_dead);
      engine.Recall([&](const Ticket& ticket) { workers[ticket.rank]->GiveBack(ticket.id); },
                    [](const engine::Pin&) {}, [](KeyId, const engine::Made&) {});
      for (auto& each : stored) {
        CHECK(each.front() == each.back());
        each.front() = each.back();  // It may also write.
      }
      for (Rank rank = 0; rank < kRanks; ++rank) {
        if (was_dead[rank]) workers[rank]->is_dead = false;
      }
      engine.Lease(live, {});
      for (const Rank rank : live) engine.Call(rank);
    }
    std::this_thread::yield();
  }
}

// `is_disturbed`: the store is taken back again and again, which also wakes whoever has parked.
uint64_t RunDevices(bool is_async, bool is_disturbed, uint32_t batches, uint64_t seed) {
  int64_t updates = 0;
  std::vector<std::vector<float>> stored;
  for (KeyId key = 0; key < kKeys; ++key) stored.emplace_back(LengthOf(key));
  const auto engine =
      std::make_shared<Engine>(kRanks, is_async ? Consistency::kAsync : Consistency::kSync, 0,
                               KernelsFor(Cpu::kBaseline), engine::Status{.updates = &updates});
  for (KeyId key = 0; key < kKeys; ++key) {
    Plan plan;
    plan.access = Access::kAssign;
    plan.length = LengthOf(key);
    plan.buffers[0] = stored[key].data();
    CHECK(engine->SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0));
  }
  {
    Workers workers;
    for (Rank rank = 0; rank < kRanks; ++rank) {
      workers.push_back(std::make_unique<Worker>(*engine, rank, seed + rank));
    }
    engine->Lease({0, 1, 2, 3}, {});
    std::atomic<bool> is_over{false};
    std::thread coordinator([&] {
      if (is_disturbed) Coordinate(*engine, stored, workers, is_over);
    });
    std::vector<std::thread> threads;
    for (auto& worker : workers) {
      // Only where each push is a round by itself: else the others would wait for what is lost.
      threads.emplace_back([&, each = worker.get()] { each->Run(batches, is_async); });
    }
    for (std::thread& thread : threads) thread.join();
    is_over = true;
    coordinator.join();
    engine->Close();
  }
  return uint64_t{kRanks} * batches * kBatchOperations;
}

}  // namespace
}  // namespace tensorkv::stress

int main(int argc, char** argv) {
  using namespace tensorkv::stress;
  const uint64_t wanted = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const char* const given = std::getenv("TENSORKV_SEED");
  const uint64_t seed =
      given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
  tensorkv::test::Watchdog::Begin();
  std::printf("TENSORKV_SEED=%llu, ", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const auto batches = static_cast<uint32_t>(wanted / kRanks / kBatchOperations / 3 + 1);
  uint64_t done = RunDevices(false, false, batches, seed);
  done += RunDevices(false, true, batches, seed + kRanks);
  done += RunDevices(true, true, batches, seed + 2 * kRanks);
  std::printf("%llu operations\n", static_cast<unsigned long long>(done));
  return 0;
}
