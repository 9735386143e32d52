#pragma once

#include "whole.cuh"

// The first launches of rules that need the whole tensor.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// The rules, each with Move(whole, i, w, g, sums) of its first launch; kKeeps: g is needed later.
template <typename C>
struct LambFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = false;
  Lamb<C> rule;
  __device__ explicit LambFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C w, C& g, double* sums) const {
    const C r = rule.Move(w, g, whole.slots[0][i], whole.slots[1][i]);
    AddSquare(sums[0], w);
    AddSquare(sums[1], r);
  }
};

template <typename C>
struct LarsFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = true;
  __device__ explicit LarsFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C w, C& g, double* sums) const {
    AddSquare(sums[0], w);
    AddSquare(sums[1], g);
  }
};

template <typename C>
struct LansFirst {
  static constexpr uint32_t kSums = 1;
  static constexpr bool kKeeps = true;
  __device__ explicit LansFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C, C& g, double* sums) const {
    AddSquare(sums[0], g);
  }
};

template <typename C>
struct AdafactorVectorFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = true;
  AdafactorVector<C> rule;
  __device__ explicit AdafactorVectorFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C w, C& g, double* sums) const {
    rule.Move(g, whole.slots[0][i]);
    AddSquare(sums[0], g);
    AddSquare(sums[1], w);
  }
};

// Keeps the gradient, and that is all.
template <typename C>
struct KeepFirst {
  static constexpr uint32_t kSums = 0;
  static constexpr bool kKeeps = true;
  __device__ explicit KeepFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C, C&, double*) const {}
};

template <typename C>
struct MuonFirst {
  static constexpr uint32_t kSums = 0;
  static constexpr bool kKeeps = true;
  Muon<C> rule;
  __device__ explicit MuonFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C, C& g, double*) const {
    g = rule.Move(g, whole.slots[0][i]);
  }
};

template <template <typename> class First, typename T>
__device__ inline void FirstChunk(char* memory, uint64_t table) {
  using C = Compute<T>;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Weights<T> weights(memory, item.step);
  const First<C> first(whole);
  const auto move = [&](uint64_t i, double* sums) {
    // Where no master has the weights of a half type, a temporary has them from here on.
    const bool is_copied = Asked(weights.master != nullptr && item.step.keeps_master == 0);
    const Spot one = {0, true};
    const Pack<C, 1> w =
        is_copied ? LoadWide<T, 1>(weights.stored + i) : weights.template At<1>(i, one);
    if (is_copied) weights.master[i] = w.x[0];
    C g = weights.GradientAt(i, w, one).x[0];
    first.Move(whole, i, w.x[0], g, sums);
    if (First<C>::kKeeps) whole.gradient[i] = g;
  };
  if constexpr (First<C>::kSums > 0) {
    double* const partials = Pointer<double>(memory, item.partials);
    ForEachInTiles<First<C>::kSums>(chunk, TilesIn(item.length), partials, move);
  } else {
    ForEach<1>(chunk, false, [&](auto, uint64_t at) { move(at, nullptr); });
  }
}

}  // namespace

#define TENSORKV_FIRST(Kernel, name, Rule)                                           \
  Kernel(first_##name##_float32) { FirstChunk<Rule##First, float>(memory, table); }  \
  Kernel(first_##name##_float64) { FirstChunk<Rule##First, double>(memory, table); } \
  Kernel(first_##name##_float16) { FirstChunk<Rule##First, Half>(memory, table); }   \
  Kernel(first_##name##_bfloat16) { FirstChunk<Rule##First, Bfloat16>(memory, table); }

TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lamb, Lamb)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lars, Lars)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lans, Lans)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, adafactorVector, AdafactorVector)
TENSORKV_FIRST(TENSORKV_KERNEL, keep, Keep)
TENSORKV_FIRST(TENSORKV_KERNEL, muon, Muon)

}  // namespace tensorkv::TENSORKV_LEVEL
