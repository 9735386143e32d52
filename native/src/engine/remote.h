#pragma once

#include <memory>
#include <span>

#include "plan.h"
#include "rounds.h"

// Rounds of keys on a CUDA device: the engine decides when they are made, somebody else queues
// them.
namespace tensorkv::engine {

// The rounds of a list of keys, which are made again and again.
class RemoteRounds {
 public:
  virtual ~RemoteRounds() = default;
  // Queues them. `hyper`: of each key, none where the sum replaces the tensor. False: none was
  // queued, and they may have to be prepared anew.
  virtual bool Queue(std::span<const std::span<const double>> hyper) = 0;
};

// Who queues rounds on devices. Called by any thread, one at a time.
class Remote {
 public:
  virtual ~Remote() = default;
  // `plans` and `hyper`: of the key of each job. Null where they cannot be done there.
  virtual std::unique_ptr<RemoteRounds> Prepare(std::span<const Job> jobs,
                                                std::span<const Plan* const> plans,
                                                std::span<const std::span<const double>> hyper) = 0;
};

}  // namespace tensorkv::engine
