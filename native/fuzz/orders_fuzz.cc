// Words that no device would write, handed to the engine: it takes a request or refuses it, reads
// nothing behind the words, touches no memory but bound tensors, and every request that it has
// taken ends once or is given back once. A byte of input is a word of a request, most of them
// small.
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "../test/check.h"
#include "engine/engine.h"

namespace tensorkv::fuzz {
namespace {

using engine::Access;
using engine::Binding;
using engine::Consistency;
using engine::Device;
using engine::Engine;
using engine::Job;
using engine::KeyId;
using engine::Order;
using engine::Plan;
using engine::Rank;
using engine::RemotePlace;
using engine::Ticket;

constexpr Rank kRanks = 2;
constexpr size_t kLength = 6;
constexpr KeyId kLocalKeys = 5;
constexpr KeyId kKeys = 7;
constexpr size_t kBindings = 8;

// A device that looks at what it is asked, and refuses it now and then.
class Rounds : public engine::RemoteRounds {
 public:
  explicit Rounds(std::span<const Job> jobs) : count_(jobs.size()) {
    for (const Job& job : jobs) {
      CHECK(job.is_round && !job.moves && job.key >= kLocalKeys);
      for (const void* const each : job.inputs) CHECK(RemotePlace(each).id() < kRanks);
      for (const void* const each : job.outs) CHECK(RemotePlace(each).id() < kRanks);
    }
  }
  bool Queue(std::span<const std::span<const double>> hyper) override {
    CHECK(hyper.size() == count_);
    return ++calls_ % 4 != 0;
  }

 private:
  const size_t count_;
  uint32_t calls_ = 0;
};

class Remote : public engine::Remote {
 public:
  std::unique_ptr<engine::RemoteRounds> Prepare(std::span<const Job> jobs,
                                                std::span<const Plan* const> plans,
                                                std::span<const std::span<const double>>) override {
    CHECK(!jobs.empty() && jobs.size() == plans.size());
    if (++calls_ % 8 == 0) return nullptr;
    return std::make_unique<Rounds>(jobs);
  }

 private:
  uint32_t calls_ = 0;
};

// A store of a few keys, one of each kind of access, with one that has no elements and two on a
// device.
class Store {
 public:
  explicit Store(Consistency consistency)
      : engine_(std::make_shared<Engine>(kRanks, consistency, 1, KernelsFor(Cpu::kBaseline),
                                         engine::Status{})) {
    constexpr Access kAccess[kKeys] = {Access::kAssign, Access::kAssign, Access::kRead,
                                       Access::kNone, Access::kAssign};
    for (KeyId key = 0; key < kLocalKeys; ++key) {
      stored_.emplace_back(key == 4 ? 0 : kLength);
      others_.push_back(stored_.back());
      Plan plan;
      plan.access = kAccess[key];
      plan.dtype = key == 1 ? Dtype::kInt32 : Dtype::kFloat32;
      plan.length = stored_[key].size();
      plan.buffers[0] = stored_[key].data();
      plan.buffers[1] = others_[key].data();
      const auto number = static_cast<engine::BufferId>(2 * key);
      CHECK(engine_->SetPlan(key, plan, number, number + 1, 0));
      if (key != 0) CHECK(engine_->SetClocks(key, clocks_[key].data()));
    }
    engine_->UseRemote(std::make_unique<Remote>());
    for (KeyId key = kLocalKeys; key < kKeys; ++key) {
      Plan plan;
      plan.access = Access::kAssign;
      plan.device = 0;
      plan.length = kLength;
      plan.buffers[0] = RemotePlace(kRanks, 64 * key).place();
      const auto number = static_cast<engine::BufferId>(2 * key);
      CHECK(engine_->SetPlan(key, plan, number, engine::kNoBuffer, 0));
      CHECK(engine_->SetClocks(key, clocks_[key].data()));
    }
    CHECK(!engine_->SetClocks(kKeys, clocks_[0].data()));
    for (Rank rank = 0; rank < kRanks; ++rank) Attach(rank);
  }

  // The words between two bytes 255 are one request; the first byte of one says whose it is.
  void Run(const uint8_t* data, size_t size) {
    engine_->Lease({0, 1}, {});
    std::multiset<double> open[kRanks];
    double id = 0;
    for (const uint8_t* const end = data + size; data < end;) {
      const uint8_t head = *data++;
      std::vector<int32_t> words;
      for (; data < end && *data != 255; ++data) words.push_back(WordOf(*data));
      if (data < end) ++data;
      const Rank rank = head % kRanks;
      // On the heap and no longer than it is: reading on is noticed.
      const std::unique_ptr<int32_t[]> exact(new int32_t[words.size()]);
      std::copy(words.begin(), words.end(), exact.get());
      // One of eight releases pins instead, whose number is 0.
      const bool is_release = (head >> 4) % 8 == 7;
      const Order order = {.id = is_release ? 0 : ++id,
                           .deadline_ms = 0,
                           .priority = static_cast<double>((head >> 1) % 3) - 1,
                           .is_disjoint = false,
                           .words = exact.get(),
                           .count = words.size()};
      engine_->IsDisjoint(*devices_[rank], order);
      const size_t taken = engine_->Submit(*devices_[rank], &order, 1, Engine::kUnlimited, false);
      if (taken == 1 && !is_release) open[rank].insert(id);
      Take(rank, &open[rank]);
    }
    for (Rank rank = 0; rank < kRanks; ++rank) Take(rank, &open[rank]);
    engine_->Recall(
        [&](const Ticket& ticket) { CHECK(open[ticket.rank].erase(ticket.id) == 1); },
        [](const engine::Pin& pin) {
          CHECK(pin.key < kKeys && pin.rank < kRanks && pin.count > 0);
        },
        [](KeyId key, const engine::Made& made) { CHECK(key < kKeys && made.rounds > 0); });
    for (Rank rank = 0; rank < kRanks; ++rank) {
      Take(rank, &open[rank]);  // What the pool has ended.
      CHECK(open[rank].empty());
    }
  }

 private:
  void Attach(Rank rank) {
    devices_.push_back(engine_->Attach(rank, [] {}));
    devices_.back()->known.assign(2 * kLocalKeys - 2, true);  // All but those of the last key.
    std::vector<Binding>& bindings = devices_.back()->bindings;
    for (size_t number = 0; number < kBindings; ++number) {
      tensors_.emplace_back(number == 6 ? 0 : kLength);
      bindings.push_back({.data = reinterpret_cast<char*>(tensors_.back().data()),
                          .length = tensors_.back().size(),
                          .dtype = number % 2 == 1 ? Dtype::kInt32 : Dtype::kFloat32});
    }
    bindings.push_back({});  // One that is unbound.
    // Two that share elements with another.
    bindings.push_back({bindings[0].data, kLength, Dtype::kFloat32});
    bindings.push_back({bindings[2].data + sizeof(float), kLength - 1, Dtype::kFloat32});
    for (const int device : {0, 0, 1}) {
      void* const place = RemotePlace(rank, 64 * bindings.size()).place();
      bindings.push_back({static_cast<char*>(place), kLength, Dtype::kFloat32, device});
    }
  }

  void Take(Rank rank, std::multiset<double>* open) {
    double ids[3];
    for (size_t count = 3; count == 3;) {
      count = devices_[rank]->inbox.Take(ids, 3);
      for (size_t i = 0; i < count; ++i) {
        CHECK(open->erase(ids[i]) == 1);
        engine::Shown shown[2];
        CHECK(devices_[rank]->inbox.TakeShown(ids[i], shown, 2) <= 2);
      }
    }
  }

  static int32_t WordOf(uint8_t byte) {
    constexpr int32_t kOdd[] = {-1, INT32_MIN, INT32_MAX, 1 << 30, 1 << 16, -2, 12, 100};
    return byte < 240 ? byte % 14 : kOdd[byte % 8];
  }

  std::shared_ptr<Engine> engine_;
  std::vector<std::vector<int32_t>> stored_, others_;
  std::vector<std::vector<double>> clocks_{kKeys, std::vector<double>(kRanks)};
  std::vector<std::vector<int32_t>> tensors_;
  std::vector<std::shared_ptr<Device>> devices_;
};

}  // namespace
}  // namespace tensorkv::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using tensorkv::engine::Consistency;
  using tensorkv::fuzz::Store;
  static Store* const stores[] = {new Store(Consistency::kSync), new Store(Consistency::kAsync),
                                  new Store(Consistency::kSsp)};
  stores[data[0] % 3]->Run(data + 1, size - 1);
  return 0;
}
