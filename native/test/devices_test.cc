#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "../src/engine/engine.h"
#include "check.h"
#include "suites.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

using engine::Access;
using engine::Engine;
using engine::KeyId;
using engine::Order;
using engine::Plan;
using engine::Rank;

// A device that goes while it is rung: Detach waits for the end of the ring.
void DetachWhileRung(const KernelTable& kernels) {
  const auto engine =
      std::make_shared<Engine>(1, engine::Consistency::kSync, 0, &kernels, engine::Status{});
  float stored = 0;
  float value = 1;
  Plan plan;
  plan.access = Access::kAssign;
  plan.length = 1;
  plan.buffers[0] = &stored;
  engine->SetPlan(0, plan, 0, engine::kNoBuffer, 0);
  engine->Lease({0}, {});
  std::atomic<bool> is_rung{false};
  std::atomic<bool> is_gone{false};
  const auto device = engine->Attach(0, [&] {
    is_rung = true;
    // Time enough for the other thread, in small pieces: somebody may stop both for longer than
    // one.
    for (int i = 0; i < 100; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      CHECK(!is_gone);
    }
  });
  device->bindings.push_back({reinterpret_cast<char*>(&value), 1, Dtype::kFloat32});
  const int32_t words[] = {0, 1, 0, 0};
  const Order order = {
      .id = 1, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = words, .count = 4};
  CHECK(engine->Submit(*device, &order, 1, 0, false) == 1);  // No bytes inline: the pool does it.
  // What ends while it still submits, it is not rung for: then once more.
  double ids[1];
  while (!is_rung) {
    if (device->inbox.Take(ids, 1) == 1) engine->Submit(*device, &order, 1, 0, false);
    std::this_thread::yield();
  }
  engine->Detach(*device);
  is_gone = true;
  engine->Close();
}

// A device that goes while a large push of it is read: Detach waits, and then its memory is its
// own.
void DetachWhileRead(const KernelTable& kernels) {
  int64_t updates = 0;
  const auto engine = std::make_shared<Engine>(1, engine::Consistency::kSync, 0, &kernels,
                                               engine::Status{.updates = &updates});
  const auto device = engine->Attach(0, [] {});
  std::vector<std::vector<float>> stored, values;
  for (KeyId key = 0; key < 2; ++key) {
    stored.emplace_back(key == 0 ? 1 : 1 << 20);
    values.emplace_back(stored[key].size());
    Plan plan;
    plan.access = Access::kAssign;
    plan.length = stored[key].size();
    plan.buffers[0] = stored[key].data();
    engine->SetPlan(key, plan, static_cast<engine::BufferId>(key), engine::kNoBuffer, 0);
    char* const data = reinterpret_cast<char*>(values[key].data());
    device->bindings.push_back({data, values[key].size(), Dtype::kFloat32});
  }
  engine->Lease({0}, {});
  const int32_t words[] = {0, 1, 0, 0, 1, 1, 1, 0};
  const Order order = {
      .id = 1, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = words, .count = 8};
  CHECK(engine->Submit(*device, &order, 1, 0, false) == 1);  // No bytes inline: the pool does it.
  // The small key has ended: the large one is being read.
  while (__atomic_load_n(&updates, __ATOMIC_RELAXED) == 0) std::this_thread::yield();
  engine->Detach(*device);
  for (std::vector<float>& value : values) std::fill(value.begin(), value.end(), 1.0F);
  engine->Close();
}

// A device that waits for another's push comes back after its slice, whatever else there is to do,
// and where there is nothing.
void ReturnsFromBusyEngine(const KernelTable& kernels) {
  const auto engine =
      std::make_shared<Engine>(2, engine::Consistency::kSync, 0, &kernels, engine::Status{});
  std::vector<float> stored(1 << 14);
  Plan plan;
  plan.access = Access::kAssign;
  plan.length = stored.size();
  plan.buffers[0] = stored.data();
  engine->SetPlan(0, plan, 0, engine::kNoBuffer, 0);
  engine->Lease({0, 1}, {});
  std::vector<std::vector<float>> tensors(2, stored);
  std::vector<std::shared_ptr<engine::Device>> devices;
  for (Rank rank = 0; rank < 2; ++rank) {
    devices.push_back(engine->Attach(rank, [] {}));
    char* const data = reinterpret_cast<char*>(tensors[rank].data());
    devices[rank]->bindings.push_back({data, stored.size(), Dtype::kFloat32});
  }
  const int32_t push[] = {0, 1, 0, 0};
  const int32_t pull[] = {0, 0, 1, 0};
  Order order = {
      .id = 1, .deadline_ms = 0, .priority = 0, .is_disjoint = true, .words = push, .count = 4};
  CHECK(engine->Submit(*devices[0], &order, 1, Engine::kUnlimited, false) == 1);
  double ids[1];
  for (int slice = 0; slice < 20; ++slice) {
    CHECK(engine->Wait(*devices[0], 1, ids, 1) == 0);
    Watchdog::Note();
  }
  std::atomic<bool> is_over{false};
  std::thread other([&] {
    double taken[16];
    Order each = order;
    each.words = pull;
    // Not ever more at once: whatever is asked for one key is one job.
    for (size_t open = 0; !is_over;) {
      each.id += 1;
      if (open < 16) {
        open += engine->Submit(*devices[1], &each, 1, 0, false);
      } else {
        std::this_thread::yield();
      }
      open -= devices[1]->inbox.Take(taken, 16);
    }
  });
  for (int slice = 0; slice < 20; ++slice) {
    CHECK(engine->Wait(*devices[0], 1, ids, 1) == 0);
    Watchdog::Note();
  }
  is_over = true;
  other.join();
  for (const auto& device : devices) engine->Detach(*device);
  engine->Close();
}

}  // namespace

void TestDevices(const KernelTable& kernels) {
  DetachWhileRung(kernels);
  // Now and then somebody else has the core until all is read.
  for (int times = 0; times < 4; ++times) DetachWhileRead(kernels);
  Watchdog::Note();
  ReturnsFromBusyEngine(kernels);
}

}  // namespace tensorkv::test
