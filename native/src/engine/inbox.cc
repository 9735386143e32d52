#include "inbox.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tensorkv::engine {

using Lock = std::lock_guard<std::mutex>;

Inbox::Signal Inbox::Add(Ended& ended) {
  const Lock lock(mutex_);
  ended_.push_back(ended.id);
  if (!ended.shown.empty()) shown_.emplace(ended.id, std::move(ended.shown));
  const bool had_news = has_news();
  has_ended_.store(true, std::memory_order_release);
  if (waits_) return had_news ? Signal::kNone : Signal::kWake;
  return std::exchange(looks_, true) ? Signal::kNone : Signal::kRing;
}

void Inbox::Call() {
  {
    const Lock lock(mutex_);
    was_called_.store(true, std::memory_order_release);
  }
  Tell(Signal::kWake);
}

void Inbox::Tell(Signal signal) {
  if (signal == Signal::kWake) woken_.notify_one();
  if (signal != Signal::kRing) return;
  const Lock lock(bell_);
  if (ring_) ring_();
}

void Inbox::Silence() {
  const Lock lock(bell_);
  ring_ = nullptr;
}

void Inbox::BeginSubmit() {
  const Lock lock(mutex_);
  looks_ = true;
}

void Inbox::EndSubmit() {
  const Lock lock(mutex_);
  looks_ = !ended_.empty();
}

size_t Inbox::Take(double* ids, size_t room) {
  const Lock lock(mutex_);
  looks_ = false;
  return Move(ids, room);
}

size_t Inbox::Move(double* ids, size_t room) {
  const size_t count = std::min(room, ended_.size());
  std::copy_n(ended_.begin(), count, ids);
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<ptrdiff_t>(count));
  has_ended_.store(!ended_.empty(), std::memory_order_release);
  return count;
}

size_t Inbox::TakeShown(double id, Shown* shown, size_t room) {
  const Lock lock(mutex_);
  const auto found = shown_.find(id);
  if (found == shown_.end()) return 0;
  const size_t count = std::min(room, found->second.size());
  std::copy_n(found->second.begin(), count, shown);
  shown_.erase(found);
  return count;
}

void Inbox::BeginWait() {
  const Lock lock(mutex_);
  waits_ = true;
}

size_t Inbox::EndWait(double* ids, size_t room) {
  const Lock lock(mutex_);
  waits_ = looks_ = false;
  if (ended_.empty()) was_called_.store(false, std::memory_order_release);
  return Move(ids, room);
}

void Inbox::Park(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  woken_.wait_until(lock, until, [this] { return has_news(); });
}

}  // namespace tensorkv::engine
