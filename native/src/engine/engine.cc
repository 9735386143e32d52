#include "engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tensorkv::engine {
namespace {

// How long a call that blocks does what there is to do before it looks at what it waits for.
constexpr std::chrono::milliseconds kMostDrain{50};

}  // namespace

Engine::Engine(Rank ranks, Consistency consistency, double staleness, const KernelTable* kernels,
               Status status)
    : kernels_(kernels), status_(status), rounds_(ranks, consistency, staleness), devices_(ranks) {}

Rank Engine::ranks() {
  const Lock lock(mutex_);
  return static_cast<Rank>(devices_.size());
}

uint64_t Engine::whole_lists() {
  const Lock lock(mutex_);
  return whole_lists_;
}

bool Engine::Grow(Rank ranks) {
  const Lock lock(mutex_);
  if (is_leased_) return false;
  rounds_.Grow(ranks);
  if (ranks > devices_.size()) devices_.resize(ranks);
  return true;
}

bool Engine::SetPlan(KeyId key, Plan plan, BufferId stored, BufferId other, double version) {
  const Lock lock(mutex_);
  if (is_leased_) return false;
  if (key >= plans_.size()) {
    plans_.resize(key + 1);
    made_.resize(key + 1);
    rounds_.Resize(key + 1);
  }
  rounds_.SetBuffers(key, stored, other, version);
  if (plan.hyper >= hyper_.size()) hyper_.resize(plan.hyper + 1);
  if (!AreAlike(plans_[key], plan)) ++plan_changes_;
  plans_[key] = std::move(plan);
  return true;
}

bool Engine::SetClocks(KeyId key, double* clocks) {
  const Lock lock(mutex_);
  if (is_leased_ || key >= rounds_.size()) return false;
  ++plan_changes_;
  rounds_.SetClocks(key, clocks);
  return true;
}

bool Engine::SetHyper(uint32_t table, HyperTable values) {
  const Lock lock(mutex_);
  if (is_leased_) return false;
  if (table >= hyper_.size()) hyper_.resize(table + 1);
  hyper_[table] = std::move(values);
  return true;
}

void Engine::Lease(const std::vector<Rank>& live, const std::vector<Pin>& pins) {
  const Lock lock(mutex_);
  if (is_closed_ || is_leased_) return;
  rounds_.SetLive(live);
  for (const Pin& pin : pins) rounds_.AddPin(pin);
  is_leased_ = true;
}

void Engine::Recall(const std::function<void(const Ticket&)>& see,
                    const std::function<void(const Pin&)>& pinned,
                    const std::function<void(KeyId, const Made&)>& made) {
  Lock lock(mutex_);
  Stop(lock);
  Deliver(lock);
  rounds_.ForEachOpen(see);
  rounds_.ForEachPin(pinned);
  rounds_.Clear();
  lists_.Clear();
  out_bytes_ = 0;
  for (const KeyId key : changed_) made(key, std::exchange(made_[key], {}));
  changed_.clear();
}

// Has nothing begin, and waits for what is running. Another thread may lease the store meanwhile:
// then that has ended before.
void Engine::Stop(Lock& lock) {
  is_leased_ = false;
  while (running_ > 0 && !is_leased_) {
    if (RunChunk(lock, kUnlimited, false) == 0) stopped_.wait(lock);
  }
}

void Engine::Close() {
  Recall([](const Ticket&) {}, [](const Pin&) {}, [](KeyId, const Made&) {});
  size_t ranks;
  {
    const Lock lock(mutex_);
    is_closed_ = true;
    ranks = devices_.size();
    lists_.Close();
    remote_.reset();
  }
  if (status_.ended != nullptr) __atomic_store_n(status_.ended, 1, __ATOMIC_RELEASE);
  for (Rank rank = 0; rank < ranks; ++rank) Call(rank);
}

void Engine::UseRemote(std::unique_ptr<Remote> remote) {
  const Lock lock(mutex_);
  if (!is_closed_) remote_ = std::move(remote);
}

bool Engine::has_remote() {
  const Lock lock(mutex_);
  return remote_ != nullptr;
}

std::shared_ptr<Device> Engine::Attach(Rank rank, std::function<void()> ring) {
  auto device = std::make_shared<Device>(rank, std::move(ring));
  const Lock lock(mutex_);
  SlotOf(rank) = device;
  return device;
}

void Engine::Detach(Device& device) {
  {
    Lock lock(mutex_);
    // Its memory may go with its thread, and the coordinator may not live to hold on to it.
    if (HasOpen(device.rank)) Stop(lock);
    Deliver(lock);
    device.orders.Clear(&rounds_);
    std::shared_ptr<Device>& slot = SlotOf(device.rank);
    if (slot.get() == &device) slot.reset();
  }
  device.inbox.Silence();
}

bool Engine::HasOpen(Rank rank) const {
  bool has_open = false;
  rounds_.ForEachOpen([&](const Ticket& each) { has_open = has_open || each.rank == rank; });
  return has_open;
}

size_t Engine::Submit(Device& device, const Order* orders, size_t count, size_t inline_bytes,
                      bool lingers) {
  device.inbox.BeginSubmit();
  size_t taken = 0;
  bool asks = false;
  {
    Lock lock = Enter();
    for (; taken < count && Admit(device, orders[taken]); ++taken) asks |= orders[taken].id != 0;
    if (taken > 0) Drain(lock, {.bytes = inline_bytes, .until = Clock::now() + kMostDrain});
  }
  if (lingers && asks) WaitShortly(device, inline_bytes);
  device.inbox.EndSubmit();
  return taken;
}

// Looks for what has ended, and helps once with rounds, as far as `bytes` go.
void Engine::WaitShortly(Device& device, size_t bytes) {
  const Inbox& inbox = device.inbox;
  const auto has_ended = [&] { return inbox.has_ended(); };
  device.patience.Look([&] { return has_ended() || has_small_work(); });
  if (has_ended() || !has_small_work()) return;
  {
    Lock lock = Enter();
    Drain(lock, {.bytes = bytes});
  }
  device.patience.Look(has_ended);
}

// Takes one order in. False for one that the coordinator has to see.
bool Engine::Admit(Device& device, const Order& order) {
  if (!is_leased_ || device.rank == kCoordinator) return false;
  if (order.id == 0) return Release(device, order);
  Ticket* const ticket = TicketOf(device, order);
  if (ticket == nullptr) return false;
  ticket->rank = device.rank;
  ticket->priority = order.priority;
  if (ticket->device != kOnCpu && !lists_.MayTake(ticket)) {
    rounds_.PutBack(ticket);
    return false;
  }
  ticket->id = order.id;
  ticket->deadline_ms = order.deadline_ms;
  out_bytes_ += ticket->out_bytes;
  List* const complete = lists_.Enqueue(ticket);
  if (complete != nullptr) StartList(complete);
  return true;
}

// The ticket of an order, which may be known from before; null for one that is not plain. Of keys
// on devices lists alone are.
Ticket* Engine::TicketOf(Device& device, const Order& order) {
  // Both only grow: the sum tells whether either has.
  const uint64_t state = plan_changes_ + device.binding_changes;
  Ticket* const known = device.orders.Find(order.words, order.count, state);
  if (known != nullptr) return known;
  Ticket* const ticket = rounds_.NewTicket();
  if (!decoder_.Decode(device, order, ticket) ||
      (ticket->device != kOnCpu && !Lists::IsList(*ticket)) ||
      !(order.is_disjoint || decoder_.IsDisjoint(*ticket))) {
    rounds_.PutBack(ticket);
    return nullptr;
  }
  device.orders.Learn(order.words, order.count, state, ticket, &rounds_);
  return ticket;
}

// Ends pins of a device, all of them or none.
bool Engine::Release(const Device& device, const Order& order) {
  if (order.count % 2 != 0) return false;
  const int32_t* const end = order.words + order.count;
  for (const int32_t* at = order.words; at < end; at += 2) {
    if (!rounds_.HasPin(static_cast<KeyId>(at[0]), at[1], device.rank)) return false;
  }
  for (const int32_t* at = order.words; at < end; at += 2) {
    rounds_.DropPin(static_cast<KeyId>(at[0]), at[1], device.rank);
  }
  return true;
}

bool Engine::IsDisjoint(const Device& device, const Order& order) {
  const Lock lock(mutex_);
  Ticket* const ticket = rounds_.NewTicket();
  const bool is_disjoint = decoder_.Decode(device, order, ticket) && decoder_.IsDisjoint(*ticket);
  rounds_.PutBack(ticket);
  return is_disjoint;
}

size_t Engine::Wait(Device& device, double slice_ms, double* ids, size_t room) {
  Inbox& inbox = device.inbox;
  const std::chrono::duration<double, std::milli> slice(slice_ms);
  const auto until = Clock::now() + std::chrono::ceil<Clock::duration>(slice);
  inbox.BeginWait();
  while (!inbox.has_news() && Clock::now() < until) {
    if (has_work()) {
      Lock lock = Enter();
      Drain(lock, {.inbox = &inbox, .until = until});
    } else if (!Linger(device)) {
      inbox.Park(until);
    }
  }
  return inbox.EndWait(ids, room);
}

// Looks for news and for work; false when it is time to park.
bool Engine::Linger(Device& device) {
  ++lingering_;
  const bool is_due = device.patience.Look([&] { return device.inbox.has_news() || has_work(); });
  --lingering_;
  // Once more: who brought work may have counted on this device.
  return is_due || has_work();
}

void Engine::Call(Rank rank) {
  std::shared_ptr<Device> device;
  {
    const Lock lock(mutex_);
    device = SlotOf(rank);
  }
  if (device != nullptr) device->inbox.Call();
}

void Engine::Help() {
  Lock lock = Enter();
  Drain(lock, {});
}

}  // namespace tensorkv::engine
