#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "rounds.h"

namespace tensorkv::engine {

// What has ended for a device, and how the device hears of it: it looks when it has submitted, it
// is rung, or it stands in a wait.
class Inbox {
 public:
  // How a device is to be told, once no lock is held.
  enum class Signal : uint8_t { kNone, kWake, kRing };

  explicit Inbox(std::function<void()> ring) : ring_(std::move(ring)) {}

  // The engine's side, from any thread.
  // A ticket has ended.
  Signal Add(Ended& ended);
  // Ends the device's wait, now or the next one.
  void Call();
  void Tell(Signal signal);
  // The ring is not called again.
  void Silence();

  // The device's side, from its own thread.
  // It looks for itself until EndSubmit, and then until it is rung if anything has ended.
  void BeginSubmit();
  void EndSubmit();
  // Moves what has ended to `ids`, at most `room` of them, and returns how many.
  size_t Take(double* ids, size_t room);
  // Moves what a request was shown to `shown`, which has room for all of it; returns how many.
  size_t TakeShown(double id, Shown* shown, size_t room);
  // From BeginWait to EndWait it is not rung. EndWait takes what has ended, and forgets a call if
  // nothing has.
  void BeginWait();
  size_t EndWait(double* ids, size_t room);
  // Whether there is something to take; or that, or a call.
  bool has_ended() const { return has_ended_.load(std::memory_order_acquire); }
  bool has_news() const { return has_ended() || was_called_.load(std::memory_order_acquire); }
  // Blocks until there is news, or it is that late.
  void Park(std::chrono::steady_clock::time_point until);

 private:
  size_t Move(double* ids, size_t room);

  std::mutex mutex_;
  // Tickets that have ended and that the device has not heard of.
  std::vector<double> ended_;
  // What those of them that asked for views were shown, by their numbers.
  std::unordered_map<double, std::vector<Shown>> shown_;
  std::atomic<bool> has_ended_{false};
  std::atomic<bool> was_called_{false};
  // It looks for itself, or has been rung and has not looked yet.
  bool looks_ = false;
  bool waits_ = false;
  std::condition_variable woken_;
  // Guards `ring_`, so that it is not called while or after the device goes.
  std::mutex bell_;
  std::function<void()> ring_;
};

}  // namespace tensorkv::engine
