#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../dtype.h"
#include "../kernels.h"
#include "place.h"

// How a key is updated, and the work itself: no locks, no decisions.
namespace tensorkv::engine {

// The hyper-parameters of updates to come, one row an update, see StepArguments::hyper.
struct HyperTable {
  // Updates made before the one of the first row.
  double first = 0;
  size_t width = 0;
  // Whether the first row holds for every update.
  bool is_steady = false;
  // The rows, and zeros behind them: an update rule may look for more than a short row has.
  std::vector<double> values;
  size_t rows = 0;

  // The row of the update after `count` others; null where the table does not have it.
  const double* Row(double count) const;
};

// What the engine may do to a key.
enum class Access : uint8_t {
  kNone,    // nothing
  kRead,    // pulls
  kAssign,  // and pushes: the sum replaces the tensor
  kStep,    // and pushes: a step of an update rule
};

// The stored tensor of a key, its other buffer or none, and what its updates need.
struct Plan {
  Access access = Access::kNone;
  // Where all of it is: a CUDA device, where places stand for addresses.
  int device = kOnCpu;
  Dtype dtype = Dtype::kFloat32;
  size_t length = 0;
  void* buffers[2] = {nullptr, nullptr};
  // Of a step, see StepArguments.
  size_t rule = 0;
  const StepKernel* step = nullptr;
  void* master = nullptr;
  void* average = nullptr;
  std::vector<void*> slots;
  size_t scratch_length = 0;
  uint32_t hyper = 0;
  double count = 0;
};

// Whether requests that were decoded by one of them mean the same by the other, and make the same
// of the same tensors.
bool AreAlike(const Plan& a, const Plan& b);

// One round, or one copy to outs, of a key.
struct Work {
  const KernelTable* kernels;
  const Plan* plan;
  bool is_round;
  // Which buffer has the key, and which gets the next version.
  int from;
  int to;
  const std::vector<const void*>* inputs;
  const std::vector<void*>* outs;
  const double* hyper;  // of a step
  // Values are to be read whole before outs are written, each whole, see Overlap.
  bool overlaps;
};

// Whether some of the outs share bytes with an input or with each other, without being the same.
bool Overlap(const std::vector<const void*>& inputs, const std::vector<void*>& outs, size_t bytes);

// Bytes that the work moves.
size_t TrafficOf(const Plan& plan, bool is_round, size_t inputs, size_t outs);

// Whether parts of the work can be done one by one.
bool Splits(const Work& work);

// Does the elements [begin, end) of the work. `streams`: outs are written past the caches.
void Run(const Work& work, size_t begin, size_t end, bool streams);

}  // namespace tensorkv::engine
