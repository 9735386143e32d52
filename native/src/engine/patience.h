#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>

namespace tensorkv::engine {

// How long a thread looks before it parks: up to some times what waking it takes, if that has paid
// lately. Used by one thread.
class Patience {
 public:
  // Looks until is_due() and returns true, or false when it is time to park. Yields between looks:
  // whoever brings the news may need this core. A yield that takes long has given the core to
  // somebody who computes, and whoever is parked gets it back sooner: then it is time to park, and
  // the next times there is one look, without a yield.
  template <typename IsDue>
  bool Look(IsDue is_due) {
    if (is_due()) return true;
    if (skips_ > 0) {
      --skips_;
      return false;
    }
    const auto begin = Clock::now();
    for (auto before = begin;;) {
      sched_yield();
      if (is_due()) return Learn(true, Clock::now() - before > kLong);
      const auto now = Clock::now();
      if (now - before > kLong) return Learn(false, true);
      if (now - begin > std::chrono::duration<double, std::micro>(us_)) return Learn(false, false);
      before = now;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr double kLeast = 20;
  static constexpr double kMost = 250;
  static constexpr std::chrono::microseconds kLong{200};
  static constexpr unsigned kMostSkips = 32;

  bool Learn(bool was_due, bool gave_way) {
    us_ = std::clamp(was_due ? us_ * 2 : us_ / 2, kLeast, kMost);
    backoff_ = gave_way ? std::min(backoff_ * 2 + 1, kMostSkips) : 0;
    skips_ = backoff_;
    return was_due;
  }

  double us_ = kLeast;
  // Looks that are left out, and how many were the last time.
  unsigned skips_ = 0;
  unsigned backoff_ = 0;
};

}  // namespace tensorkv::engine
