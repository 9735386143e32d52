#pragma once

#include "step.cuh"
#include "tiles.cuh"

// Update rules that need the whole tensor, in several launches; whole_steps.cc has their order.
//   first:  sums the gradients, moves slots, keeps what later launches need, and adds up squares
//   second: the same again for rules that need a sum before they have a direction
//   last:   the new weights
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::WholeItem;

// What the launches of an item share.
template <typename C>
struct Whole {
  char* memory;
  const WholeItem& item;
  const double* hyper;  // of the rule
  double* sums;
  C* gradient;
  C* second;
  C* slots[2];

  __device__ Whole(char* where, const WholeItem& whole)
      : memory(where),
        item(whole),
        hyper(HyperOf(where, whole.step) + kCommonHyper),
        sums(Pointer<double>(where, whole.sums)),
        gradient(Pointer<C>(where, whole.gradient)),
        second(Pointer<C>(where, whole.second)),
        slots{Pointer<C>(where, whole.step.slots[0]), Pointer<C>(where, whole.step.slots[1])} {}
};

// Position `i` of a matrix.
struct Place {
  uint64_t row, column;
};
__device__ inline Place PlaceOf(uint64_t i, uint64_t columns) {
  if (((i | columns) >> 32) == 0) {
    const auto low = static_cast<uint32_t>(i), by = static_cast<uint32_t>(columns);
    return {low / by, low % by};
  }
  return {i / columns, i % columns};
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
