#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "operations.h"
#include "ranges.h"

namespace tensorkv::cuda {

// What launches do.
enum class Kind : uint8_t {
  kCopy,
  kSum,
  kStep,
  kWholeStep,
  kCast,
  kFill,
  kArithmetic,
  kCodec,
  kSumRows,
  kMoveRows,
  kSquares,
  kIsFinite,
};

// What operations of one group have in common: they use the same kernels.
struct Kernels {
  Kind kind;
  Code code;  // the dtype of a copy does not matter, of a fill its size alone
  Dtype dtype, to;
  size_t rule;
  bool two_bit;
  bool operator==(const Kernels&) const = default;
};

// An operation of a group, and copies of what it makes.
struct Member {
  const Operation* operation;
  std::vector<Operand> copies;
};

// Operations that need nothing of each other.
struct OperationGroup {
  Kernels kernels;
  std::vector<Member> members;
  Ranges ranges;
  size_t temporary_bytes = 0;
};

// The operations as groups: the same result when they run one after the other.
std::vector<OperationGroup> GroupsOf(std::span<const Operation> operations);

}  // namespace tensorkv::cuda
