#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace tensorkv::engine {

// Something that has work for any thread that comes by.
class Worksite {
 public:
  virtual ~Worksite() = default;
  // Does what there is to do, and returns when there is no more.
  virtual void Help() = 0;
};

// Parked threads, as many as the process may use cores: made when first needed, never ended.
class Pool {
 public:
  static Pool& Get();

  // Has up to `helpers` threads help at `site`.
  void Call(const std::shared_ptr<Worksite>& site, unsigned helpers);
  unsigned size() const { return size_; }
  // Which of the cores this thread is on, from 0 to size() - 1.
  unsigned Place() const;

 private:
  Pool();
  void Serve();

  // By the system's number of a core, how many cores of the process come before it.
  std::vector<unsigned> places_;
  unsigned size_ = 0;
  std::mutex mutex_;
  std::condition_variable called_;
  std::deque<std::shared_ptr<Worksite>> calls_;
  std::atomic<bool> has_calls_{false};
  bool has_started_ = false;
};

}  // namespace tensorkv::engine
