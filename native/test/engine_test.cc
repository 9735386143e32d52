#include "../src/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "suites.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

using engine::Access;
using engine::Device;
using engine::Engine;
using engine::KeyId;
using engine::Made;
using engine::Order;
using engine::Part;
using engine::Pin;
using engine::Plan;
using engine::Rank;
using engine::Ticket;

constexpr Rank kRanks = 4;
constexpr uint32_t kRounds = 100;
// Small ones, one of no elements, some of which a list has several chunks, and one that has them by
// itself.
constexpr size_t kKeyLengths[] = {1, 16, 1000, 0, 10'000, 10'000, 10'000, 100'000};
constexpr KeyId kKeys = sizeof(kKeyLengths) / sizeof(kKeyLengths[0]);
constexpr KeyId kSmallKeys = kKeys - 1;

// A request that a recall has given back, or what is left of a list of keys.
struct Returned {
  double id;
  KeyId key;
};

// One device's thread: every round it pushes a number to each key and pulls the sum; then another
// one to all keys as one list. At last the same with a list that the engine does as a whole.
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

  std::mutex mutex;
  std::vector<Returned> returned;

  void Run() {
    for (uint32_t round = 0; round < kRounds; ++round) {
      std::vector<double> open;
      Fill(2 * round);
      for (KeyId key = 0; key < kKeys; ++key) open.push_back(Send(IdOf(round, key), key));
      while (!open.empty()) Look(&open);
      CheckSums(2 * round);
      Fill(2 * round + 1);
      open.push_back(SendList(round, kKeys));
      while (!open.empty()) Look(&open);
      CheckSums(2 * round + 1);
    }
    for (uint32_t round = kRounds; round < 2 * kRounds; ++round) {
      Fill(2 * round);
      std::vector<double> open = {SendList(round, kSmallKeys)};
      while (!open.empty()) Look(&open);
      CheckSums(2 * round, kSmallKeys);
    }
  }

 private:
  // No two versions of a key are the same: an old one shows.
  void Fill(uint32_t version) {
    for (KeyId key = 0; key < kKeys; ++key) {
      for (float& each : tensors_[2 * key]) each = static_cast<float>(device_->rank + version);
    }
  }

  void CheckSums(uint32_t version, KeyId keys = kKeys) const {
    const float sum = static_cast<float>(kRanks * version + kRanks * (kRanks - 1) / 2);
    for (KeyId key = 0; key < keys; ++key) {
      for (const float each : tensors_[2 * key + 1]) CHECK(each == sum);
    }
  }

  static double IdOf(uint32_t round, KeyId key) { return 1 + round * kKeys + key; }

  static void AddWords(KeyId key, std::vector<int32_t>* words) {
    const auto number = static_cast<int32_t>(2 * key);
    words->insert(words->end(), {static_cast<int32_t>(key), 1, number, 1, number + 1});
  }

  double Send(double id, KeyId key) {
    std::vector<int32_t> words;
    AddWords(key, &words);
    Submit(id, words, key % 2 == 0 ? size_t{1} << 20 : 0);
    return id;
  }

  // The same words in every round, so that the engine knows them again.
  double SendList(uint32_t round, KeyId keys) {
    std::vector<int32_t> words;
    for (KeyId key = 0; key < keys; ++key) AddWords(key, &words);
    const double id = IdOf(kRounds, round);
    Submit(id, words, size_t{1} << 20);
    return id;
  }

  void Submit(double id, const std::vector<int32_t>& words, size_t inline_bytes) {
    const Order order = {.id = id,
                         .deadline_ms = 0,
                         .priority = 0,
                         .is_disjoint = true,
                         .words = words.data(),
                         .count = words.size()};
    // Refused while the store is recalled.
    while (engine_.Submit(*device_, &order, 1, inline_bytes, id > kRounds) == 0)
      std::this_thread::yield();
  }

  void Look(std::vector<double>* open) {
    double ids[kKeys];
    for (size_t count = engine_.Wait(*device_, 50, ids, kKeys); count > 0; --count) {
      std::erase(*open, ids[count - 1]);
      Watchdog::Note();
    }
    std::vector<Returned> again;
    {
      const std::lock_guard lock(mutex);
      again.swap(returned);
    }
    for (const Returned& each : again) {
      std::erase(*open, each.id);
      open->push_back(Send(++last_id_, each.key));
    }
  }

  Engine& engine_;
  std::shared_ptr<Device> device_;
  std::vector<std::vector<float>> tensors_;
  double last_id_ = IdOf(kRounds, 2 * kRounds);
};

// Takes the store back again and again, and has devices send once more what had not ended.
void RecallOften(Engine& engine, std::vector<std::unique_ptr<Worker>>& workers,
                 const std::atomic<bool>& is_over) {
  const std::vector<Rank> live = {0, 1, 2, 3};
  while (!is_over) {
    engine.Recall(
        [&](const Ticket& ticket) {
          const std::lock_guard lock(workers[ticket.rank]->mutex);
          for (const Part& part : ticket.parts) {
            if (!part.is_push || part.has_ended) continue;
            workers[ticket.rank]->returned.push_back({ticket.id, part.key});
          }
        },
        [](const Pin&) {}, [](KeyId, const Made&) {});
    engine.Lease(live, {});
    for (const Rank rank : live) engine.Call(rank);
    // Devices get a turn on few cores too, or nothing would ever end.
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
  }
}

// Outs that share bytes with a value, and with each other: the value is read whole before, and each
// out is written whole, in order.
void WritesOverlappingOuts(const KernelTable& kernels, size_t length) {
  const auto engine =
      std::make_shared<Engine>(1, engine::Consistency::kSync, 0, &kernels, engine::Status{});
  std::vector<float> stored(length);
  Plan plan;
  plan.access = Access::kAssign;
  plan.length = length;
  plan.buffers[0] = stored.data();
  engine->SetPlan(0, plan, 0, engine::kNoBuffer, 0);
  engine->Lease({0}, {});
  std::vector<float> memory(length + 2);
  for (size_t i = 0; i < length; ++i) memory[i] = static_cast<float>(i);
  const auto device = engine->Attach(0, [] {});
  for (const size_t at : {0, 2, 1}) {
    device->bindings.push_back(
        {reinterpret_cast<char*>(memory.data() + at), length, Dtype::kFloat32});
  }
  const int32_t words[] = {0, 1, 0, 2, 1, 2};
  const Order order = {
      .id = 1, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = words, .count = 6};
  CHECK(engine->Submit(*device, &order, 1, 0, false) == 1);  // The pool's, all of its threads.
  double ids[1];
  while (engine->Wait(*device, 50, ids, 1) == 0) {
  }
  for (size_t i = 0; i < length; ++i) CHECK(stored[i] == static_cast<float>(i));
  for (size_t i = 0; i < length; ++i) CHECK(memory[i + 1] == static_cast<float>(i));
  CHECK(memory[length + 1] == static_cast<float>(length - 1));
  const int32_t pull[] = {0, 0, 2, 2, 1};  // The other one last.
  const Order again = {
      .id = 2, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = pull, .count = 5};
  CHECK(engine->Submit(*device, &again, 1, 0, false) == 1);
  while (engine->Wait(*device, 50, ids, 1) == 0) {
  }
  CHECK(memory[1] == 0);
  for (size_t i = 0; i < length; ++i) CHECK(memory[i + 2] == static_cast<float>(i));
  engine->Detach(*device);
  engine->Close();
}

// Two devices that send the same list again and again: from the third time on it goes as a whole,
// whoever does it. Keys of `lengths` elements; a device itself moves no more than `inline_bytes`.
void DoesListsAsAWhole(const KernelTable& kernels, const std::vector<size_t>& lengths,
                       size_t inline_bytes) {
  constexpr Rank kPair = 2;
  constexpr uint32_t kTimes = 6;
  const auto engine =
      std::make_shared<Engine>(kPair, engine::Consistency::kSync, 0, &kernels, engine::Status{});
  std::vector<std::vector<float>> memory;  // of all tensors
  const auto tensor = [&memory](size_t length) { return memory.emplace_back(length).data(); };
  for (KeyId key = 0; key < lengths.size(); ++key) {
    Plan plan;
    plan.access = Access::kAssign;
    plan.length = lengths[key];
    plan.buffers[0] = tensor(lengths[key]);
    engine->SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0);
  }
  std::vector<std::shared_ptr<Device>> devices;
  std::vector<int32_t> words;
  for (Rank rank = 0; rank < kPair; ++rank) {
    devices.push_back(engine->Attach(rank, [] {}));
    for (const size_t length : lengths) {
      for (int i = 0; i < 2; ++i) {
        devices[rank]->bindings.push_back(
            {reinterpret_cast<char*>(tensor(length)), length, Dtype::kFloat32});
      }
    }
  }
  for (KeyId key = 0; key < lengths.size(); ++key) {
    const auto number = static_cast<int32_t>(2 * key);
    words.insert(words.end(), {static_cast<int32_t>(key), 1, number, 1, number + 1});
  }
  engine->Lease({0, 1}, {});
  const auto at = [&devices](Rank rank, size_t number) {
    return reinterpret_cast<float*>(devices[rank]->bindings[number].data);
  };
  for (uint32_t time = 1; time <= kTimes; ++time) {
    const Order order = {.id = static_cast<double>(time),
                         .deadline_ms = 0,
                         .priority = 0,
                         .is_disjoint = true,
                         .words = words.data(),
                         .count = words.size()};
    for (Rank rank = 0; rank < kPair; ++rank) {
      for (size_t key = 0; key < lengths.size(); ++key) {
        std::fill_n(at(rank, 2 * key), lengths[key], static_cast<float>(time + rank));
      }
      CHECK(engine->Submit(*devices[rank], &order, 1, inline_bytes, false) == 1);
    }
    // No device works while it waits: whoever does has been called for it.
    for (const auto& device : devices) {
      while (!device->inbox.has_ended()) std::this_thread::yield();
      double id;
      CHECK(device->inbox.Take(&id, 1) == 1 && id == time);
    }
    for (Rank rank = 0; rank < kPair; ++rank) {
      for (size_t key = 0; key < lengths.size(); ++key) {
        for (size_t i = 0; i < lengths[key]; ++i) {
          CHECK(at(rank, 2 * key + 1)[i] == static_cast<float>(2 * time + 1));
        }
      }
    }
    CHECK(engine->whole_lists() == (time < 3 ? 0 : time - 2));
    Watchdog::Note();
  }
  for (const auto& device : devices) engine->Detach(*device);
  engine->Close();
}

}  // namespace

void TestEngine(const KernelTable& kernels) {
  for (const size_t inline_bytes : {size_t{0}, size_t{1} << 20, Engine::kUnlimited}) {
    DoesListsAsAWhole(kernels, {1, 0, 64, 1000}, inline_bytes);
    DoesListsAsAWhole(kernels, {16, 20'000, 3, 20'000, 20'000, 1}, inline_bytes);
  }
  for (const size_t length : {100, 4000, 1'000'000}) WritesOverlappingOuts(kernels, length);
  int64_t updates = 0;
  int32_t ended = 0;
  std::vector<std::vector<float>> stored;
  for (const size_t length : kKeyLengths) stored.emplace_back(length);
  const engine::Status status = {.updates = &updates, .ended = &ended};
  const auto engine =
      std::make_shared<Engine>(kRanks, engine::Consistency::kSync, 0, &kernels, status);
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
  CHECK(ended == 1);
  CHECK(__atomic_load_n(&updates, __ATOMIC_RELAXED) == int64_t{kRounds} * (2 * kKeys + kSmallKeys));
}

}  // namespace tensorkv::test
