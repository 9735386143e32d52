#pragma once

// How operations are decoded. Only runtime_decode*.cc use it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime_decode.h"

namespace tensorkv::cuda {

constexpr double kMostLength = 9007199254740991;
// The range goes on to the end of its allocation.
constexpr size_t kRest = SIZE_MAX;

inline bool IsFloating(Dtype dtype) { return dtype <= Dtype::kBfloat16; }

inline size_t Times(size_t a, size_t b) {
  size_t product = 0;
  Expect(!__builtin_mul_overflow(a, b, &product), "Expected fewer elements");
  return product;
}

// Reads numbers, one after the other.
class Words {
 public:
  explicit Words(std::span<const double> words) : words_(words) {}

  double Number() {
    Expect(next_ < words_.size(), "Expected more words");
    return words_[next_++];
  }
  size_t Count(double most) {
    const double number = Number();
    Expect(number >= 0 && number <= most && number == std::floor(number),
           "Expected a number that counts");
    return static_cast<size_t>(number);
  }
  // The low word of an int64, unsigned, and its high word, signed.
  int64_t Bits() {
    const auto low = static_cast<uint64_t>(Count(4294967295));
    const double high = Number();
    Expect(high >= -2147483648.0 && high <= 2147483647 && high == std::floor(high),
           "Expected the high word of an int64");
    return static_cast<int64_t>(low | static_cast<uint64_t>(static_cast<int64_t>(high)) << 32);
  }

 private:
  std::span<const double> words_;
  size_t next_ = 0;
};

// An operand before anybody knows how long it is.
struct Place {
  uint64_t id = 0;
  size_t offset = 0;
};

struct Head {
  Operation operation;
  Place stored, master, scratch, average, rows;
  std::vector<Place> inputs, outs, slots;
};

struct Range {
  uint64_t begin;
  size_t bytes;
  bool is_exact;
};

inline bool AreApart(const Range& a, const Range& b) {
  if (!a.is_exact || !b.is_exact) return a.begin != b.begin || a.bytes == 0 || b.bytes == 0;
  return a.begin + a.bytes <= b.begin || b.begin + b.bytes <= a.begin;
}

inline bool AreAligned(const Range& a, const Range& b) {
  return (a.begin == b.begin && a.bytes == b.bytes) || AreApart(a, b);
}

class Decoder {
 public:
  Decoder(std::span<const double> words, const Device& device, const FindAllocation& find)
      : words_(words), device_(device), find_(find) {}

  Decoded Take(size_t count) {
    decoded_.operations.reserve(std::min(count, size_t{4096}));
    for (size_t k = 0; k < count; ++k) {
      Head head = TakeHead();
      Complete(head);
      decoded_.operations.push_back(std::move(head.operation));
    }
    return std::move(decoded_);
  }

 private:
  Head TakeHead();
  void Complete(Head& head);
  void CompleteSum(Head& head);
  void CompleteStep(Head& head);
  void CompleteSlots(Head& head);
  void CompleteElements(Head& head, size_t inputs);
  void CompleteCodec(Head& head);
  void CompleteRows(Head& head);
  void CompleteNumber(Head& head);

  Place TakePlace() {
    const size_t id = words_.Count(kMostLength);
    return {id, words_.Count(kMostLength)};
  }
  void TakePlaces(size_t count, std::vector<Place>* places) {
    places->reserve(count);
    for (size_t k = 0; k < count; ++k) places->push_back(TakePlace());
  }

  // The memory at `place`: there are `bytes` bytes, and it starts where an element may.
  Operand Reach(const Place& place, size_t bytes, size_t alignment, bool writes);
  Operand ReachOptional(const Place& place, size_t bytes, size_t alignment, bool writes) {
    return place.id == 0 ? Operand{} : Reach(place, bytes, alignment, writes);
  }
  void ReachAll(const std::vector<Place>& places, size_t bytes, size_t alignment, bool writes,
                std::vector<Operand>* operands) {
    operands->reserve(places.size());
    for (const Place& place : places) {
      operands->push_back(Reach(place, bytes, alignment, writes));
    }
  }

  static Range RangeOf(const Operand& operand, bool is_exact = true) {
    return {operand.address, operand.bytes, is_exact};
  }
  static void RequireApart(const Range& a, const Range& b) {
    Expect(AreApart(a, b), "Expected arrays that do not overlap");
  }
  static void RequireAligned(const Range& a, const Range& b) {
    Expect(AreAligned(a, b), "Expected arrays that do not overlap in part");
  }
  static void RequireCounts(const Head& head, size_t inputs, size_t outs) {
    Expect(head.inputs.size() == inputs && head.outs.size() == outs && head.slots.empty(),
           "Expected as many arrays as the operation takes");
  }

  Words words_;
  const Device& device_;
  const FindAllocation& find_;
  Decoded decoded_;
  std::unordered_map<uint64_t, size_t> use_of_;
};

}  // namespace tensorkv::cuda
