#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "inbox.h"
#include "known_orders.h"
#include "patience.h"
#include "plan.h"
#include "rounds.h"

namespace tensorkv::engine {

// A device's tensor as it was bound.
struct Binding {
  char* data = nullptr;  // or a RemotePlace
  size_t length = 0;
  Dtype dtype = Dtype::kFloat32;
  int device = kOnCpu;
};

// In place of a number of outs: a view is asked for.
constexpr int32_t kAView = -1;

// One device's side of the engine.
struct Device {
  Device(Rank own_rank, std::function<void()> ring) : rank(own_rank), inbox(std::move(ring)) {}

  const Rank rank;
  // By number; used by the device's own thread alone.
  std::vector<Binding> bindings;
  // How often they have changed.
  uint64_t binding_changes = 0;
  // Requests that come again.
  KnownOrders orders;
  // Buffers of which it can make views, by number; used by the device's own thread alone.
  std::vector<bool> known;
  Inbox inbox;
  Patience patience;
};

// A request as its device gives it, or the release of pins.
struct Order {
  // Counts from 1; 0: pins are released.
  double id;
  double deadline_ms;
  double priority;
  // Known to be, see Ticket; else the engine looks.
  bool is_disjoint;
  // For each key: its id, how many values, their numbers, how many outs or kAView, their numbers.
  // Of a release, for each pin: the key and the buffer.
  const int32_t* words;
  size_t count;
};

// Reads the words of orders. Looks at plans and rounds, and changes neither: the caller holds their
// lock.
class Decoder {
 public:
  Decoder(const std::vector<Plan>* plans, const Rounds* rounds) : plans_(plans), rounds_(rounds) {}

  // Fills in the parts of a ticket: pushes first, then pulls. False for words that end too early,
  // for numbers that are nobody's, and where not all is on one device.
  bool Decode(const Device& device, const Order& order, Ticket* ticket) const;
  // Whether no out shares memory with a value or an out of another key.
  bool IsDisjoint(const Ticket& ticket) const;

 private:
  bool Knows(const Device& device, KeyId key) const;

  const std::vector<Plan>* const plans_;
  const Rounds* const rounds_;
};

}  // namespace tensorkv::engine
