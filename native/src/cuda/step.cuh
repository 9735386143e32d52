#pragma once

#include "../optimizers/all.h"
#include "device.cuh"

// Update rules whose elements do not need each other: one pass over inputs, weights, slots and
// outs.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::StepItem;

// As many elements as make 16 bytes of what is computed.
template <typename T>
constexpr uint32_t kPerStep = 16 / sizeof(Compute<T>);

__device__ inline Lists ListsOf(char* memory, const StepItem& item) {
  const uint64_t* const begin = reinterpret_cast<const uint64_t*>(memory + item.list);
  return {memory, begin, begin + item.inputs, item.inputs, item.outs};
}

__device__ inline const double* HyperOf(const char* memory, const StepItem& item) {
  return reinterpret_cast<const double*>(memory + item.hyper);
}

// What a step works on.
template <typename T>
struct Weights {
  using C = Compute<T>;
  char* memory;
  const StepItem& item;
  Lists lists;
  Common<C> common;
  T* stored;
  C* master;
  C* average;

  __device__ Weights(char* where, const StepItem& step)
      : memory(where),
        item(step),
        lists(ListsOf(where, step)),
        common(HyperOf(where, step)),
        stored(Pointer<T>(where, step.stored)),
        master(step.master != 0 ? Pointer<C>(where, step.master) : nullptr),
        average(step.average != 0 ? Pointer<C>(where, step.average) : nullptr) {}

  __device__ C* Slot(int k) const { return Pointer<C>(memory, item.slots[k]); }

  template <uint32_t kCount>
  __device__ Pack<C, kCount> At(uint64_t at, const Spot& spot) const {
    if (Asked(master != nullptr)) return Load<kCount>(master + at, spot);
    return Widened<T>(Load<kCount>(stored + at, spot));
  }

  // The gradient of weights `w`: limited, and with their decay.
  template <uint32_t kCount>
  __device__ Pack<C, kCount> GradientAt(uint64_t from, const Pack<C, kCount>& w,
                                        const Spot& spot) const {
    Pack<C, kCount> g = {};
    if (kCount == 1 || spot.is_whole) {
      g = SumAt<T, kCount, (kCount > 1 ? 2 : 1)>(lists, from);
    } else {
      g.x[0] = SumAt<T, 1, 1>(lists, from).x[0];
    }
    const Limit<C> limit(common);
    const bool has_decay = Asked(common.decay != 0);
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kCount; ++k) {
      g.x[k] = limit(g.x[k]);
      if (has_decay) g.x[k] = Decayed(g.x[k], w.x[k], common);
    }
    return g;
  }

  // Writes new weights to wherever they belong.
  template <uint32_t kCount>
  __device__ void Publish(uint64_t at, const Pack<C, kCount>& w, const Spot& spot) const {
    if (Asked(average != nullptr)) {
      Pack<C, kCount> a = Load<kCount>(average + at, spot);
      TENSORKV_UNROLLED
      for (uint32_t k = 0; k < kCount; ++k) a.x[k] = Averaged(a.x[k], w.x[k], common);
      Store(average + at, a, spot);
    }
    if (Asked(master != nullptr && item.keeps_master != 0)) Store(master + at, w, spot);
    const Pack<T, kCount> out = Narrowed<T>(w);
    Store(stored + at, out, spot);
    TENSORKV_ROLLED
    for (uint32_t k = 0; k < lists.out_count; ++k) Store(lists.Out<T>(k) + at, out, spot);
  }
};

template <typename Rule, typename T, uint32_t kCount>
__device__ inline void StepAt(const Weights<T>& weights, const Rule& rule, uint64_t from,
                              uint64_t at, const Spot& spot) {
  using C = Compute<T>;
  constexpr int kSlots = static_cast<int>(Rule::kSlots);
  Pack<C, kCount> slots[kSlots + 1];
  TENSORKV_UNROLLED
  for (int k = 0; k < kSlots; ++k) slots[k] = Load<kCount>(weights.Slot(k) + at, spot);
  Pack<C, kCount> w = weights.template At<kCount>(at, spot);
  const Pack<C, kCount> g = weights.GradientAt(from, w, spot);
  TENSORKV_UNROLLED
  for (uint32_t x = 0; x < kCount; ++x) {
    C state[kSlots + 1];
    TENSORKV_UNROLLED
    for (int k = 0; k < kSlots; ++k) state[k] = slots[k].x[x];
    w.x[x] = rule(w.x[x], g.x[x], state, at + x);
    TENSORKV_UNROLLED
    for (int k = 0; k < kSlots; ++k) slots[k].x[x] = state[k];
  }
  TENSORKV_UNROLLED
  for (int k = 0; k < kSlots; ++k) Store(weights.Slot(k) + at, slots[k], spot);
  weights.Publish(at, w, spot);
}

// `kCount`: elements at once.
template <typename Rule, typename T, uint32_t kCount = kPerStep<T>>
__device__ inline void StepChunk(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<StepItem>(memory, chunk);
  const Rule rule(HyperOf(memory, item) + kCommonHyper);
  const Weights<T> weights(memory, item);
  const int64_t* const rows = item.rows != 0 ? Pointer<const int64_t>(memory, item.rows) : nullptr;
  const RowsOf part = RowsIn(chunk, item.row_length);
  ForEachSpot<kCount>(
      part, item.lanes_log2, item.wide != 0, [&](uint32_t row, const Spot& spot) {
        uint64_t at = part.begin + spot.first;
        if (Asked(rows != nullptr))
          at += static_cast<uint64_t>(rows[part.first + row]) * item.row_length;
        const uint64_t from = chunk.begin + uint64_t{row} * part.length + spot.first;
        StepAt<Rule, T, kCount>(weights, rule, from, at, spot);
      });
}

}  // namespace

#define TENSORKV_STEP_KERNEL(name, dtype, ...) \
  TENSORKV_KERNEL(step_##name##_##dtype) { StepChunk<__VA_ARGS__>(memory, table); }
#define TENSORKV_STEP_KERNELS(name, Rule)                   \
  TENSORKV_STEP_KERNEL(name, float32, Rule<float>, float)   \
  TENSORKV_STEP_KERNEL(name, float64, Rule<double>, double) \
  TENSORKV_STEP_KERNEL(name, float16, Rule<float>, Half)    \
  TENSORKV_STEP_KERNEL(name, bfloat16, Rule<float>, Bfloat16)
// Noise is computed for longer than memory is waited for, and its code is long.
#define TENSORKV_PLACE_KERNELS(name, Rule)                     \
  TENSORKV_STEP_KERNEL(name, float32, Rule<float>, float, 1)   \
  TENSORKV_STEP_KERNEL(name, float64, Rule<double>, double, 1) \
  TENSORKV_STEP_KERNEL(name, float16, Rule<float>, Half, 1)    \
  TENSORKV_STEP_KERNEL(name, bfloat16, Rule<float>, Bfloat16, 1)
#define TENSORKV_NO_KERNELS(name, Rule)
TENSORKV_RULES(TENSORKV_STEP_KERNELS, TENSORKV_PLACE_KERNELS, TENSORKV_NO_KERNELS)

}  // namespace tensorkv::TENSORKV_LEVEL
