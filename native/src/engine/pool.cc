#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <thread>

#include "patience.h"

namespace tensorkv::engine {
// Never destroyed: its threads outlive static destructors.
Pool& Pool::Get() {
  static Pool* const pool = new Pool();
  return *pool;
}

Pool::Pool() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      places_.push_back(size_);
      if (CPU_ISSET(core, &set)) ++size_;
    }
  }
#endif
  if (size_ == 0) size_ = std::max(std::thread::hardware_concurrency(), 1u);
}

unsigned Pool::Place() const {
#ifdef __linux__
  const int core = sched_getcpu();
  if (core >= 0 && static_cast<size_t>(core) < places_.size()) {
    return places_[static_cast<size_t>(core)] % size_;
  }
#endif
  return 0;
}

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
