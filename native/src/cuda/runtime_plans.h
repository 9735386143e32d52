#pragma once

// How plans are queued. Only the runtime's own files use it.
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "plan.h"
#include "runtime_decode.h"
#include "runtime_lane.h"

namespace tensorkv::cuda {

// Whether no allocation has been moved since it was decoded. With the lock.
bool AreWhereTheyWere(std::span<const Use> uses);
void UseAll(Issue& issue, std::span<const Use> uses);
// All or none: where that fails half way, nobody knows what is in the arrays, and the device is
// lost. With the lock and the context of the device.
void QueueLaunches(Device& device, std::span<const Launch> launches, Address memory,
                   CUstream_st* stream);

// Operations that are queued again and again: their table stays on the device, and of it only the
// hyper-parameters change. Steps of rules of single elements; temporaries stay too, so there should
// be none.
struct Prepared {
  Prepared(Lane& lane, Decoded decoded);
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared();

  // A part of the table that the device does not have yet.
  struct Part {
    size_t begin, bytes;
  };
  // Takes hyper-parameters into the table, and notes which parts have changed. False where steps
  // that had the same have no longer.
  bool Take(std::span<const std::span<const double>> hyper);

  Lane& lane;
  std::vector<Use> uses;
  Plan plan;
  // By operation: which of the rows of hyper-parameters is its own.
  std::vector<size_t> row_of;
  size_t rows = 0;
  Address memory = 0;
  Allocation::Kind kind = Allocation::Kind::kPlain;
  std::vector<Part> changed;
};

}  // namespace tensorkv::cuda
