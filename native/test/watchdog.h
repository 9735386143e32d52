#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

namespace tensorkv::test {

// Ends a program in which nothing has happened for long: a run that hangs says so, and soon. Its
// patience is in turns of its own and not in time: who stops the program or slows it down, stops or
// slows down this too. TENSORKV_WATCHDOG_TURNS: how many, each of 10 ms or more.
class Watchdog {
 public:
  static void Begin() {
    const char* const given = std::getenv("TENSORKV_WATCHDOG_TURNS");
    const int most = given == nullptr ? kMostTurns : std::atoi(given);
    std::thread([most] {
      uint64_t seen = 0;
      for (int turns = 0; turns < most; ++turns) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        const uint64_t now = events_.load(std::memory_order_relaxed);
        if (now != std::exchange(seen, now)) turns = 0;
      }
      std::fprintf(stderr, "Watchdog: nothing happens any more\n");
      std::_Exit(kExitCode);
    }).detach();
  }

  // Something has happened. Orders nothing between threads: it must not hide their races.
  static void Note() { events_.fetch_add(1, std::memory_order_relaxed); }

 private:
  static constexpr int kMostTurns = 1000;
  static constexpr int kExitCode = 67;
  static inline std::atomic<uint64_t> events_{0};
};

}  // namespace tensorkv::test
