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
  // whoever brings the news may need this core.
  template <typename IsDue>
  bool Look(IsDue is_due) {
    const auto until = Clock::now() + std::chrono::duration<double, std::micro>(us_);
    bool was_due = false;
    do {
      for (int i = 0; i < kLooks && !was_due; ++i) {
        sched_yield();
        was_due = is_due();
      }
    } while (!was_due && Clock::now() < until);
    us_ = std::clamp(was_due ? us_ * 2 : us_ / 2, kLeast, kMost);
    return was_due;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr double kLeast = 20;
  static constexpr double kMost = 250;
  // Looks between two at the clock.
  static constexpr int kLooks = 8;

  double us_ = kLeast;
};

}  // namespace tensorkv::engine
