#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "element.h"
#include "half.h"
#include "level.h"

// Sums of any number of arrays, for the kernels that start with one. Internal linkage: see level.h.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

// As many arrays as one loop adds in registers.
constexpr size_t kGroup = 8;

// Calls body(the indices 1, 2, ... up to count - 1, as a type), for a count of 1 to kGroup. A loop
// over them that is spelt out at compile time keeps its sum in a register.
template <typename Body>
void WithOthers(size_t count, Body body) {
  switch (count) {
    case 1:
      return body(std::index_sequence<>());
    case 2:
      return body(std::index_sequence<1>());
    case 3:
      return body(std::index_sequence<1, 2>());
    case 4:
      return body(std::index_sequence<1, 2, 3>());
    case 5:
      return body(std::index_sequence<1, 2, 3, 4>());
    case 6:
      return body(std::index_sequence<1, 2, 3, 4, 5>());
    case 7:
      return body(std::index_sequence<1, 2, 3, 4, 5, 6>());
    default:
      return body(std::index_sequence<1, 2, 3, 4, 5, 6, 7>());
  }
}

// Element i of arrays[0] + arrays[1] + ..., in that order.
template <typename T, size_t... kOthers>
inline T SumAt(const T* const* arrays, size_t i, std::index_sequence<kOthers...>) {
  T sum = arrays[0][i];
  ((sum = Add(sum, arrays[kOthers][i])), ...);
  return sum;
}

// A copy of the addresses that no store can change, for all that the compiler knows.
template <typename T>
struct Group {
  const T* arrays[kGroup];
};

// out[i] = arrays[0][i] + arrays[1][i] + ...
template <typename T>
void SumGroup(const Group<T>& group, size_t count, T* out, size_t length) {
  WithOthers(count, [&](auto others) {
    const Group<T> g = group;
    T* const sums = out;
    const size_t end = length;
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < end; ++i) sums[i] = SumAt(g.arrays, i, others);
  });
}

// Calls body(group, count, begin, length) for the ranges of 0 to `length`, in order: the sum of the
// `count` (1 to kGroup) arrays of `group` is then the sum of all inputs from `begin` on. Every
// input of a range is read before body has returned and none after, so body may overwrite that
// range of an input.
template <typename T, typename Body>
void ForEachGroup(const void* const* inputs, size_t count, size_t length, Body body) {
  alignas(64) T tile[kTile];
  const size_t range = count <= kGroup ? length : kTile;
  for (size_t begin = 0; begin < length; begin += range) {
    const size_t left = length - begin;
    const size_t size = left < range ? left : range;
    Group<T> group;
    size_t used = 0;
    for (size_t k = 0; k < count; ++k) {
      if (used == kGroup) {
        SumGroup(group, used, tile, size);
        group.arrays[0] = tile;
        used = 1;
      }
      group.arrays[used++] = static_cast<const T*>(inputs[k]) + begin;
    }
    body(group, used, begin, size);
  }
}

// sums[i] = finish(inputs[0][begin + i] + inputs[1][begin + i] + ...), for up to kTile elements.
template <typename T, typename Finish>
void SumTile(const void* const* inputs, size_t count, size_t begin, Compute<T>* sums, size_t length,
             Finish finish) {
  using C = Compute<T>;
  C* const out = sums;
  if constexpr (kIsHalf<T>) {
    WidenAll(static_cast<const T*>(inputs[0]) + begin, out, length);
    for (size_t k = 1; k < count; ++k) {
      AddAll(static_cast<const T*>(inputs[k]) + begin, out, length);
    }
    TENSORKV_INDEPENDENT
    for (size_t i = 0; i < length; ++i) out[i] = finish(out[i]);
  } else {
    Group<T> group;
    size_t used = 0;
    for (size_t k = 0; k < count; ++k) {
      if (used == kGroup) {
        SumGroup(group, used, out, length);
        group.arrays[0] = out;
        used = 1;
      }
      group.arrays[used++] = static_cast<const T*>(inputs[k]) + begin;
    }
    WithOthers(used, [&](auto others) {
      const Group<T> g = group;
      T* const to = out;
      const Finish last = finish;
      const size_t end = length;
      TENSORKV_INDEPENDENT
      for (size_t i = 0; i < end; ++i) to[i] = last(SumAt(g.arrays, i, others));
    });
  }
}

// The same without more to do.
template <typename T>
void SumTile(const void* const* inputs, size_t count, size_t begin, Compute<T>* sums,
             size_t length) {
  SumTile<T>(inputs, count, begin, sums, length, [](Compute<T> x) { return x; });
}

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
