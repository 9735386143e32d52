#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "element.h"
#include "level.h"
#include "squares.h"
#include "step.h"
#include "sum.h"

// What all update rules share: the sum, rescaling, clipping, coupled decay, half types and their
// masters, and the moving average. Everything runs tile by tile in L1, so that inputs, weights and
// slots pass through memory once.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// g = g + decay * w, unless decay is 0: then w = inf is kept.
template <typename C>
void AddDecay(C* gradient, const C* weights, const Common<C>& common, size_t length) {
  if (common.decay == 0) return;
  const Common<C> h = common;
  C* const g = gradient;
  const C* const w = weights;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) g[i] = Decayed(g[i], w[i], h);
}

// a = kept * a + rest * w
template <typename C>
void UpdateAverage(C* average, const C* weights, const Common<C>& common, size_t length) {
  const Common<C> h = common;
  C* const a = average;
  const C* const w = weights;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < length; ++i) a[i] = Averaged(a[i], w[i], h);
}

// Applies `rule` to each element; `at` is the position of the first among those of the tensor.
template <typename Rule, typename C>
void ApplyElements(const Rule& rule, C* weights, const C* gradient, C* const* slots, size_t at,
                   size_t length) {
  constexpr size_t kSlots = Rule::kSlots;
  // Copies in registers: the arrays could alias what was captured, for all that the compiler knows.
  const Rule apply = rule;
  C* const w = weights;
  const C* const g = gradient;
  C* arrays[kSlots + 1];
  for (size_t k = 0; k < kSlots; ++k) arrays[k] = slots[k] + at;
  const size_t begin = at, end = length;
  TENSORKV_INDEPENDENT
  for (size_t i = 0; i < end; ++i) {
    C state[kSlots + 1];
    for (size_t k = 0; k < kSlots; ++k) state[k] = arrays[k][i];
    w[i] = apply(w[i], g[i], state, begin + i);
    for (size_t k = 0; k < kSlots; ++k) arrays[k][i] = state[k];
  }
}

// The weights from `at` on as C: the master, the stored tensor, or a copy of it in `room`.
template <typename T>
Compute<T>* WeightsAt(const StepArguments& a, size_t at, Compute<T>* room, size_t length) {
  using C = Compute<T>;
  if (a.master != nullptr) return static_cast<C*>(a.master) + at;
  if constexpr (kIsHalf<T>) {
    WidenAll(static_cast<const T*>(a.stored) + at, room, length);
    return room;
  } else {
    return static_cast<T*>(a.stored) + at;
  }
}

// Ends the update of the weights from `at` on: into the stored tensor and the moving average.
template <typename T>
void Publish(const StepArguments& a, const Compute<T>* weights, const Common<Compute<T>>& common,
             size_t at, size_t length) {
  using C = Compute<T>;
  if constexpr (kIsHalf<T>) NarrowAll(weights, static_cast<T*>(a.stored) + at, length);
  if (a.average != nullptr) UpdateAverage(static_cast<C*>(a.average) + at, weights, common, length);
}

// Updates some rows of at most kTile elements: as many as fill a tile are summed at a time. Rows
// lie far apart, so that those to come are fetched while one is updated.
template <typename Rule, typename T>
void RunRows(const StepArguments& a, const Rule& rule) {
  using C = Compute<T>;
  constexpr size_t kAhead = 8;
  constexpr size_t kLine = 64 / sizeof(C);
  const Common<C> common(a.hyper);
  alignas(64) C gradient[kTile];
  alignas(64) C room[kTile];
  C* const* const slots = reinterpret_cast<C* const*>(a.slots);
  const size_t length = a.row_length;
  const size_t count = a.length / length;
  const size_t at_once = kTile / length;
  for (size_t first = 0; first < count; first += at_once) {
    const size_t rows = count - first < at_once ? count - first : at_once;
    SumTile<T>(a.inputs, a.count, first * length, gradient, rows * length, Limit<C>(common));
    for (size_t row = first; row < first + rows; ++row) {
      if (row + kAhead < count) {
        const size_t next = static_cast<size_t>(a.rows[row + kAhead]) * length;
        for (size_t i = 0; i < length; i += kLine) {
          __builtin_prefetch(static_cast<const T*>(a.stored) + next + i, 1);
          for (size_t k = 0; k < Rule::kSlots; ++k) __builtin_prefetch(slots[k] + next + i, 1);
        }
      }
      const size_t at = static_cast<size_t>(a.rows[row]) * length;
      C* const g = gradient + (row - first) * length;
      C* const weights = WeightsAt<T>(a, at, room, length);
      AddDecay(g, weights, common, length);
      ApplyElements(rule, weights, g, slots, at, length);
      Publish<T>(a, weights, common, at, length);
    }
  }
}

// A rule whose elements do not need each other: Rule(hyper) and w = rule(w, g, slots, position).
template <template <typename> class Rule, typename T>
void RunElements(const StepArguments& a) {
  using C = Compute<T>;
  if (a.length == 0) return;
  const Rule<C> rule(a.hyper + kCommonHyper);
  if (a.rows != nullptr && a.row_length <= kTile) return RunRows<Rule<C>, T>(a, rule);
  const Common<C> common(a.hyper);
  alignas(64) C gradient[kTile];
  alignas(64) C room[kTile];
  C* const* const slots = reinterpret_cast<C* const*>(a.slots);
  // All of it, or row by row.
  const size_t piece = a.rows == nullptr ? a.length : a.row_length;
  for (size_t from = 0, row = 0; from < a.length; from += piece, ++row) {
    const size_t to = a.rows == nullptr ? 0 : static_cast<size_t>(a.rows[row]) * piece;
    for (size_t begin = 0; begin < piece; begin += kTile) {
      const size_t size = piece - begin < kTile ? piece - begin : kTile;
      const size_t at = to + begin;
      SumTile<T>(a.inputs, a.count, from + begin, gradient, size, Limit<C>(common));
      C* const weights = WeightsAt<T>(a, at, room, size);
      AddDecay(gradient, weights, common, size);
      ApplyElements(rule, weights, gradient, slots, at, size);
      Publish<T>(a, weights, common, at, size);
    }
  }
}

// A rule that needs the whole tensor. `First` sees it tile by tile, with the gradient; then
// `Finish` updates all of w. Its own room is the beginning of the scratch; the gradient follows, if
// the rule keeps it, and the weights of a half type without a master.
template <template <typename> class Rule, typename T>
void RunTensor(const StepArguments& a) {
  using C = Compute<T>;
  Rule<C> rule(a.hyper + kCommonHyper);
  const Common<C> common(a.hyper);
  C* const* const slots = reinterpret_cast<C* const*>(a.slots);
  C* const room = static_cast<C*>(a.scratch);
  alignas(64) C tile[kTile];
  C* const gradient = room + rule.Room(a.length);
  C* const copy = gradient + (Rule<C>::kKeepsGradient ? a.length : 0);
  C* const weights = WeightsAt<T>(a, 0, copy, a.length);
  for (size_t begin = 0; begin < a.length; begin += kTile) {
    const size_t size = a.length - begin < kTile ? a.length - begin : kTile;
    C* const g = Rule<C>::kKeepsGradient ? gradient + begin : tile;
    SumTile<T>(a.inputs, a.count, begin, g, size, Limit<C>(common));
    AddDecay(g, weights + begin, common, size);
    rule.First(weights + begin, g, slots, begin, size);
  }
  rule.Finish(weights, gradient, slots, room, a.length);
  Publish<T>(a, weights, common, 0, a.length);
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
