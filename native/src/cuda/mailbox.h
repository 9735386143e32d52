#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pinned.h"

namespace tensorkv::cuda {

// A note that has arrived: what it was for has ended, well or with an error.
struct Arrival {
  uint64_t number;
  std::string error;  // empty: none
  Block block;        // of a download: the bytes
};

// Where the driver's threads leave notes for a thread of JavaScript. It outlives its thread for as
// long as notes are on their way. Nobody calls the driver while he holds the lock.
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> ring) : ring_(std::move(ring)) {}

  void Post(Arrival arrival) {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return;
    arrivals_.push_back(std::move(arrival));
    if (arrivals_.size() == 1) ring_();
  }
  std::vector<Arrival> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(arrivals_, {});
  }
  // Nobody is rung any more once this has returned.
  void Close() {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    ring_ = nullptr;
    arrivals_.clear();
  }

 private:
  std::mutex mutex_;
  std::function<void()> ring_;
  std::vector<Arrival> arrivals_;
  bool is_open_ = true;
};

// A note on its way. Arrives once: from the driver, or when its device is lost, whichever is first.
class Note {
 public:
  Note(std::shared_ptr<Mailbox> mailbox, uint64_t number, Block block)
      : mailbox_(std::move(mailbox)), number_(number), block_(std::move(block)) {}

  void Arrive(std::string error) {
    Block block;
    {
      const std::lock_guard lock(mutex_);
      if (has_arrived_) return;
      has_arrived_ = true;
      block = std::move(block_);
    }
    if (!error.empty()) block.Leak();  // A device that is lost may still write into it.
    mailbox_->Post({number_, std::move(error), std::move(block)});
  }
  // It never arrives.
  void Drop() {
    const std::lock_guard lock(mutex_);
    has_arrived_ = true;
    block_.Leak();
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const uint64_t number_;
  std::mutex mutex_;
  bool has_arrived_ = false;
  Block block_;
};

}  // namespace tensorkv::cuda
