#include "../src/engine/remote.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "../src/engine/engine.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

using engine::Access;
using engine::Device;
using engine::Engine;
using engine::Job;
using engine::KeyId;
using engine::Made;
using engine::Order;
using engine::Part;
using engine::Pin;
using engine::Plan;
using engine::Rank;
using engine::RemotePlace;
using engine::Ticket;

// A device whose tensors are numbers, each by its allocation; it does what it is asked at once.
struct Memory {
  std::array<float, 64> numbers{};
  uint32_t prepared = 0, queued = 0;
  bool may_prepare = true;
  // So many times nothing can be queued.
  uint32_t refusals = 0;
  std::vector<double> hyper;

  float& At(const void* place) { return numbers[RemotePlace(place).id()]; }
};

class FakeRounds : public engine::RemoteRounds {
 public:
  FakeRounds(Memory& memory, std::span<const Job> jobs, std::span<const Plan* const> plans)
      : memory_(memory), jobs_(jobs.begin(), jobs.end()) {
    for (const Plan* const plan : plans) stored_.push_back(plan->buffers[0]);
  }
  bool Queue(std::span<const std::span<const double>> hyper) override {
    if (memory_.refusals > 0) {
      --memory_.refusals;
      return false;
    }
    ++memory_.queued;
    for (size_t k = 0; k < jobs_.size(); ++k) {
      memory_.hyper.insert(memory_.hyper.end(), hyper[k].begin(), hyper[k].end());
      float sum = 0;
      for (const void* const input : jobs_[k].inputs) sum += memory_.At(input);
      memory_.At(stored_[k]) = sum;
      for (const void* const out : jobs_[k].outs) memory_.At(out) = sum;
    }
    return true;
  }

 private:
  Memory& memory_;
  const std::vector<Job> jobs_;
  std::vector<const void*> stored_;
};

class FakeRemote : public engine::Remote {
 public:
  explicit FakeRemote(Memory& memory) : memory_(memory) {}
  std::unique_ptr<engine::RemoteRounds> Prepare(std::span<const Job> jobs,
                                                std::span<const Plan* const> plans,
                                                std::span<const std::span<const double>>) override {
    ++memory_.prepared;
    if (!memory_.may_prepare) return nullptr;
    return std::make_unique<FakeRounds>(memory_, jobs, plans);
  }

 private:
  Memory& memory_;
};

// Two ranks that push a value and pull an out of each of `keys` keys on device 0, in one request;
// key number `keys` is on the CPU.
class Store {
 public:
  Store(const KernelTable& kernels, KeyId keys)
      : keys_(keys),
        engine_(std::make_shared<Engine>(kRanks, engine::Consistency::kSync, 0, &kernels,
                                         engine::Status{})) {
    engine_->UseRemote(std::make_unique<FakeRemote>(memory));
    for (KeyId key = 0; key <= keys; ++key) SetPlan(key, key < keys ? 0 : engine::kOnCpu);
    coordinator_ = engine_->Attach(Engine::kCoordinator, [] {});
    for (Rank rank = 0; rank < kRanks; ++rank) {
      devices_.push_back(engine_->Attach(rank, [] {}));
      for (KeyId number = 0; number < 2 * keys; ++number) Bind(rank, number, 0);
      devices_[rank]->bindings.push_back(
          {reinterpret_cast<char*>(&local_[rank]), 1, Dtype::kFloat32, engine::kOnCpu});
    }
    engine_->Lease({0, 1}, {});
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    for (const auto& device : devices_) engine_->Detach(*device);
    engine_->Detach(*coordinator_);
    engine_->Close();
  }

  static constexpr Rank kRanks = 2;
  Memory memory;

  Engine& engine() { return *engine_; }
  float& Value(Rank rank, KeyId key) { return memory.numbers[IdOf(rank, 2 * key)]; }
  float& Out(Rank rank, KeyId key) { return memory.numbers[IdOf(rank, 2 * key + 1)]; }
  float& Stored(KeyId key) { return memory.numbers[1 + key]; }

  void SetPlan(KeyId key, int device, Access access = Access::kAssign) {
    Plan plan;
    plan.access = access;
    plan.device = device;
    plan.length = 1;
    plan.buffers[0] = device == engine::kOnCpu ? &stored_ : RemotePlace(1 + key, 0).place();
    CHECK(engine_->SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0));
  }
  void Bind(Rank rank, KeyId number, int device) {
    std::vector<engine::Binding>& bindings = devices_[rank]->bindings;
    if (number >= bindings.size()) bindings.resize(number + 1);
    void* const place = RemotePlace(IdOf(rank, number), 0).place();
    bindings[number] = {static_cast<char*>(place), 1, Dtype::kFloat32, device};
    ++devices_[rank]->binding_changes;
  }
  // Whether the engine has taken a request over the keys in.
  bool Send(Rank rank, double id) { return Submit(rank, id, WordsOf(keys_)); }
  // The same of the keys and the one on the CPU; and of that alone.
  bool SendMixed(Rank rank, double id) { return Submit(rank, id, WordsOf(keys_ + 1)); }
  bool Push(Rank rank, KeyId key) {
    const auto number = static_cast<int32_t>(2 * key);
    std::vector<int32_t> words = {static_cast<int32_t>(key), 1, number, 0};
    // Longer than what is never remembered.
    for (int k = 0; k < 4; ++k) words.insert(words.end(), {words[0], 1, number, 0});
    return Submit(rank, 99, words);
  }
  bool SendLocal(Rank rank, double id) {
    const auto key = static_cast<int32_t>(keys_), number = 2 * key;
    return Submit(rank, id, {key, 1, number, 1, number});
  }
  // Both ranks send the keys, with values that tell the time; whether both were taken.
  bool SendAll(double id) {
    bool are_taken = true;
    for (Rank rank = 0; rank < kRanks; ++rank) {
      for (KeyId key = 0; key < keys_; ++key) Value(rank, key) = ValueAt(id, rank, key);
      are_taken = Send(rank, id) && are_taken;
    }
    return are_taken;
  }
  // Whether both ranks hear of `id`; then it is right.
  bool HasEnded(double id) {
    bool has_ended = true;
    for (Rank rank = 0; rank < kRanks; ++rank) {
      double ended = 0;
      has_ended = devices_[rank]->inbox.Take(&ended, 1) == 1 && ended == id && has_ended;
    }
    if (!has_ended) return false;
    for (KeyId key = 0; key < keys_; ++key) {
      const float sum = ValueAt(id, 0, key) + ValueAt(id, 1, key);
      CHECK(Stored(key) == sum && Out(0, key) == sum && Out(1, key) == sum);
    }
    return true;
  }
  bool CallsCoordinator() {
    double ids[8];
    return coordinator_->inbox.Take(ids, 8) > 0;
  }
  // Takes the store back and leases it again: how many parts were open, and how many versions were
  // made of each key.
  std::pair<size_t, uint32_t> Recall() {
    size_t parts = 0;
    uint32_t rounds = 0;
    engine_->Recall(
        [&](const Ticket& ticket) {
          for (const Part& part : ticket.parts) parts += part.has_ended ? 0 : 1;
        },
        [](const Pin&) {},
        [&](KeyId key, const Made& made) {
          if (key < keys_) rounds = made.rounds;
        });
    engine_->Lease({0, 1}, {});
    return {parts, rounds};
  }
  // The keys are a list that the engine knows.
  void MakeKnown() {
    for (int k = 0; k < 2; ++k) {
      SendAll(1);
      Recall();
    }
    while (CallsCoordinator()) {
    }
    CHECK(memory.queued == 0);
  }

 private:
  static uint64_t IdOf(Rank rank, KeyId number) { return 16 + rank * 16 + number; }
  static float ValueAt(double id, Rank rank, KeyId key) {
    return static_cast<float>(10 * id) + static_cast<float>(3 * rank + key);
  }
  static std::vector<int32_t> WordsOf(KeyId keys) {
    std::vector<int32_t> words;
    for (KeyId key = 0; key < keys; ++key) {
      const auto number = static_cast<int32_t>(2 * key);
      words.insert(words.end(), {static_cast<int32_t>(key), 1, number, 1, number + 1});
    }
    return words;
  }
  bool Submit(Rank rank, double id, const std::vector<int32_t>& words) {
    const Order order = {.id = id,
                         .deadline_ms = 0,
                         .priority = 0,
                         .is_disjoint = true,
                         .words = words.data(),
                         .count = words.size()};
    return engine_->Submit(*devices_[rank], &order, 1, Engine::kUnlimited, false) == 1;
  }

  const KeyId keys_;
  const std::shared_ptr<Engine> engine_;
  std::vector<std::shared_ptr<Device>> devices_;
  std::shared_ptr<Device> coordinator_;
  float stored_ = 0;
  float local_[kRanks] = {};
};

// A request that has not come before is the coordinator's. One that has is taken, and done as a
// whole once all ranks have sent it.
void DoesKnownLists(const KernelTable& kernels, KeyId keys) {
  Store store(kernels, keys);
  CHECK(!store.SendAll(1));
  // Known now; the lists of it are to come again as well.
  CHECK(store.SendAll(2) && !store.HasEnded(2) && store.CallsCoordinator());
  CHECK(store.Recall() == std::pair(size_t{4 * keys}, 0u));
  for (const double id : {3, 4, 5}) CHECK(store.SendAll(id) && store.HasEnded(id));
  CHECK(store.memory.prepared == 1 && store.memory.queued == 3);
  CHECK(store.engine().whole_lists() == 3);
  CHECK(store.Recall() == std::pair(size_t{0}, 3u));
  CHECK(!store.CallsCoordinator());
  // A plan that has changed: requests are decoded anew.
  store.Recall();
  store.engine().Recall([](const Ticket&) {}, [](const Pin&) {}, [](KeyId, const Made&) {});
  store.SetPlan(0, 0);
  store.engine().Lease({0, 1}, {});
  CHECK(store.SendAll(6) && store.HasEnded(6));  // It is as it was.
  store.engine().Recall([](const Ticket&) {}, [](const Pin&) {}, [](KeyId, const Made&) {});
  store.SetPlan(0, 0, Access::kRead);
  store.engine().Lease({0, 1}, {});
  CHECK(!store.SendAll(7));
}

// What cannot be queued is as it was before, and the coordinator's.
void LeavesWhatIsRefused(const KernelTable& kernels) {
  Store store(kernels, 3);
  store.MakeKnown();
  CHECK(store.SendAll(3) && store.HasEnded(3));
  store.memory.refusals = 1;  // Prepared anew.
  CHECK(store.SendAll(4) && store.HasEnded(4));
  CHECK(store.memory.prepared == 2);
  store.memory.refusals = 2;
  CHECK(store.SendAll(5) && !store.HasEnded(5) && store.CallsCoordinator());
  CHECK(store.Recall() == std::pair(size_t{12}, 2u));
  store.memory.may_prepare = false;
  CHECK(store.SendAll(6) && !store.HasEnded(6) && store.CallsCoordinator());
  CHECK(store.Recall() == std::pair(size_t{12}, 0u));
  store.memory.may_prepare = true;
  CHECK(store.SendAll(7) && store.HasEnded(7));
}

// Where something else comes between, the coordinator sees everything in order.
void KeepsOrder(const KernelTable& kernels) {
  Store store(kernels, 2);
  store.MakeKnown();
  CHECK(!store.SendMixed(0, 2) && !store.SendMixed(0, 2));  // Never in one place.
  CHECK(store.Send(0, 3));
  CHECK(!store.Send(0, 4));  // One at a time.
  CHECK(store.SendLocal(0, 5) && store.SendLocal(1, 5));
  double id = 0;
  CHECK(!store.HasEnded(id));  // 5 has, for both, and 3 waits in the lanes of its keys.
  CHECK(!store.Send(1, 3));
  CHECK(store.Recall() == std::pair(size_t{4}, 0u));
  CHECK(store.SendAll(6) && store.HasEnded(6));
  // A value that is elsewhere, and a key whose pushes are the coordinator's.
  store.Bind(0, 0, 1);
  CHECK(!store.Send(0, 7) && !store.Send(0, 7));
  store.Bind(0, 0, 0);
  CHECK(!store.Send(0, 7) && store.Send(0, 7));
  CHECK(store.Recall() == std::pair(size_t{4}, 1u));
  store.engine().Recall([](const Ticket&) {}, [](const Pin&) {}, [](KeyId, const Made&) {});
  store.SetPlan(1, 0, Access::kRead);
  store.engine().Lease({0, 1}, {});
  for (int k = 0; k < 3; ++k) CHECK(!store.Send(0, 8));
}

// Requests of other kinds do not make it forget a list.
void RemembersLists(const KernelTable& kernels) {
  Store store(kernels, 3);
  store.MakeKnown();
  for (const double id : {3, 4}) {
    for (KeyId key = 0; key < 3; ++key) CHECK(!store.Push(0, key) && !store.Push(0, key));
    CHECK(store.SendAll(id) && store.HasEnded(id));
  }
}

// Each key comes with the hyper-parameters of its next update.
void PassesHyper(const KernelTable& kernels) {
  Store store(kernels, 2);
  Engine& engine = store.engine();
  engine.Recall([](const Ticket&) {}, [](const Pin&) {}, [](KeyId, const Made&) {});
  for (const KeyId key : {0, 1}) {
    Plan plan;
    plan.access = Access::kStep;
    plan.device = 0;
    plan.length = 1;
    plan.buffers[0] = RemotePlace(1 + key, 0).place();
    plan.hyper = key;
    plan.count = key;
    engine.SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0);
    const double first = 100.0 * key;
    engine.SetHyper(key, {.first = 0,
                          .width = 2,
                          .is_steady = false,
                          .values = {first, first + 1, first + 2, first + 3, first + 4, first + 5},
                          .rows = 3});
  }
  engine.Lease({0, 1}, {});
  store.MakeKnown();
  CHECK(store.SendAll(3) && store.HasEnded(3));
  CHECK(store.SendAll(4) && store.HasEnded(4));
  CHECK((store.memory.hyper == std::vector<double>{0, 1, 102, 103, 2, 3, 104, 105}));
  // Key 1 has none left: the coordinator's.
  CHECK(store.SendAll(5) && !store.HasEnded(5) && store.CallsCoordinator());
  CHECK(store.Recall() == std::pair(size_t{8}, 2u));
}

}  // namespace

void TestRemote(const KernelTable& kernels) {
  const RemotePlace last(RemotePlace::kMostId, RemotePlace::kMostOffset);
  CHECK(last.id() == RemotePlace::kMostId && last.offset() == RemotePlace::kMostOffset);
  CHECK(RemotePlace(RemotePlace(7, 12).place()).id() == 7);
  CHECK(RemotePlace(RemotePlace(7, 12).place()).offset() == 12);
  for (const KeyId keys : {1, 2, 5}) DoesKnownLists(kernels, keys);
  LeavesWhatIsRefused(kernels);
  KeepsOrder(kernels);
  RemembersLists(kernels);
  PassesHyper(kernels);
}

}  // namespace tensorkv::test
