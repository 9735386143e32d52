#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <thread>

#include "patience.h"

namespace tensorkv::engine {
namespace {

// The cores that this process may run on.
unsigned Cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : count;
}

}  // namespace

// Never destroyed: its threads outlive static destructors.
Pool& Pool::Get() {
  static Pool* const pool = new Pool(Cores());
  return *pool;
}

Pool::Pool(unsigned size) : size_(size) {}

void Pool::Call(const std::shared_ptr<Worksite>& site, unsigned helpers) {
  const unsigned count = helpers < size_ ? helpers : size_;
  {
    const std::lock_guard lock(mutex_);
    for (unsigned i = 0; i < count; ++i) calls_.push_back(site);
    has_calls_ = !calls_.empty();
    if (!has_started_) {
      has_started_ = true;
      for (unsigned i = 0; i < size_; ++i) std::thread([this] { Serve(); }).detach();
    }
  }
  // At the other side: Serve.
  for (unsigned i = 0; i < count; ++i) called_.notify_one();
}

void Pool::Serve() {
#ifdef __linux__
  pthread_setname_np(pthread_self(), "tensorkv");
#endif
  Patience patience;
  for (;;) {
    std::shared_ptr<Worksite> site;
    patience.Look([this] { return has_calls_.load(); });
    {
      std::unique_lock lock(mutex_);
      called_.wait(lock, [this] { return !calls_.empty(); });
      site = std::move(calls_.front());
      calls_.pop_front();
      has_calls_ = !calls_.empty();
    }
    site->Help();
  }
}

}  // namespace tensorkv::engine
