#pragma once

#include "whole.cuh"

// The last launches of rules that need the whole tensor.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The last launches, each with Next(whole, i, w, g): the new w.
template <typename C>
struct LambLast {
  static constexpr bool kHasGradient = false;
  Lamb<C> rule;
  C rate;
  __device__ explicit LambLast(const Whole<C>& whole)
      : rule(whole.hyper), rate(rule.Rate(whole.sums[0], whole.sums[1])) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C) const {
    return rule.Next(rate, w, whole.slots[0][i], whole.slots[1][i]);
  }
};

template <typename C>
struct LarsLast {
  static constexpr bool kHasGradient = true;
  Lars<C> rule;
  C rate;
  __device__ explicit LarsLast(const Whole<C>& whole)
      : rule(whole.hyper), rate(rule.Rate(whole.sums[0], whole.sums[1])) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    return rule.Next(rate, w, g, whole.slots[0][i]);
  }
};

template <typename C>
struct LansLast {
  static constexpr bool kHasGradient = true;
  C rate_m, rate_g;
  __device__ explicit LansLast(const Whole<C>& whole) {
    const Lans<C> rule(whole.hyper);
    rate_m = rule.Rate(rule.beta1, whole.sums[1], whole.sums[2]);
    rate_g = rule.Rate(rule.rest1, whole.sums[1], whole.sums[3]);
  }
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    return Lans<C>::Next(rate_m, rate_g, w, g, whole.second[i]);
  }
};

template <typename C>
struct AdafactorLast {
  static constexpr bool kHasGradient = true;
  AdafactorStep<C> step;
  __device__ explicit AdafactorLast(const Whole<C>& whole)
      : step(whole.hyper, whole.sums[0], whole.sums[1], whole.item.length) {}
  __device__ C Next(const Whole<C>&, uint64_t, C w, C g) const { return step.Next(w, g); }
};

template <typename C>
struct GroupAdagradLast {
  static constexpr bool kHasGradient = true;
  GroupAdagrad<C> rule;
  __device__ explicit GroupAdagradLast(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    const C history = whole.slots[0][PlaceOf(i, whole.item.columns).row];
    return GroupAdagrad<C>::Next(rule.lr, w, g, rule.RootOf(history));
  }
};

template <typename C>
struct MuonLast {
  static constexpr bool kHasGradient = false;
  Muon<C> rule;
  C rate;
  __device__ explicit MuonLast(const Whole<C>& whole) : rule(whole.hyper), rate(rule.Rate()) {}
  // Matrices that are higher than wide were turned.
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C) const {
    const Place at = PlaceOf(i, rule.columns);
    const uint64_t turned = at.column * rule.rows + at.row;
    return rule.Next(rate, w, whole.second[rule.rows > rule.columns ? turned : i]);
  }
};

template <template <typename> class Last, typename T>
__device__ inline void LastChunk(char* memory, uint64_t table) {
  using C = Compute<T>;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Weights<T> weights(memory, item.step);
  const Last<C> last(whole);
  constexpr uint32_t kCount = kPerStep<T>;
  const RowsOf all = RowsIn(chunk, 0);
  ForEachSpot<kCount>(all, item.step.lanes_log2, item.step.wide != 0, [&](uint32_t, const Spot& spot) {
    const uint64_t at = chunk.begin + spot.first;
    Pack<C, kCount> w = weights.template At<kCount>(at, spot), g = {};
    if constexpr (Last<C>::kHasGradient) g = Load<kCount>(whole.gradient + at, spot);
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kCount; ++k) {
      if (k == 0 || spot.is_whole) w.x[k] = last.Next(whole, at + k, w.x[k], g.x[k]);
    }
    weights.Publish(at, w, spot);
  });
}

}  // namespace

#define TENSORKV_LAST(name, Rule)                                                          \
  TENSORKV_KERNEL(step_##name##_float32) { LastChunk<Rule##Last, float>(memory, table); }  \
  TENSORKV_KERNEL(step_##name##_float64) { LastChunk<Rule##Last, double>(memory, table); } \
  TENSORKV_KERNEL(step_##name##_float16) { LastChunk<Rule##Last, Half>(memory, table); }   \
  TENSORKV_KERNEL(step_##name##_bfloat16) { LastChunk<Rule##Last, Bfloat16>(memory, table); }

TENSORKV_LAST(lamb, Lamb)
TENSORKV_LAST(lars, Lars)
TENSORKV_LAST(lans, Lans)
TENSORKV_LAST(adafactorVector, Adafactor)
TENSORKV_LAST(adafactorMatrix, Adafactor)
TENSORKV_LAST(groupAdagrad, GroupAdagrad)
TENSORKV_LAST(muon, Muon)

}  // namespace tensorkv::TENSORKV_LEVEL
