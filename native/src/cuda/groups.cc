#include "groups.h"

#include <map>
#include <utility>

#include "rules.h"
#include "temporaries.h"

namespace tensorkv::cuda {
namespace {

// How far back an operation may find a group of its kind.
constexpr size_t kWindow = 8;
// Temporaries of a group: more keys at once would not be faster.
constexpr size_t kMostTemporaries = size_t{256} << 20;

Kind KindOf(const Operation& operation) {
  switch (operation.code) {
    case Code::kSum:
      return operation.inputs.size() == 1 ? Kind::kCopy : Kind::kSum;
    case Code::kStep:
      return RuleOf(operation.rule) == Rule::kElements ? Kind::kStep : Kind::kWholeStep;
    case Code::kCast:
      return operation.dtype == operation.to ? Kind::kCopy : Kind::kCast;
    case Code::kFill:
      return Kind::kFill;
    case Code::kAddScaled:
    case Code::kMultiply:
    case Code::kAddNumber:
    case Code::kMultiplyNumber:
      return Kind::kArithmetic;
    case Code::kEncode:
    case Code::kDecode:
    case Code::kQuantize:
      return Kind::kCodec;
    case Code::kSumRows:
      return Kind::kSumRows;
    case Code::kGatherRows:
    case Code::kScatterRows:
      return Kind::kMoveRows;
    case Code::kSquares:
      return Kind::kSquares;
    case Code::kIsFinite:
      return Kind::kIsFinite;
  }
  return Kind::kCopy;
}

// Of what is only moved, the size of an element alone matters.
Dtype DtypeOf(Kind kind, const Operation& operation) {
  if (kind == Kind::kMoveRows) return Dtype::kUint8;
  if (kind != Kind::kFill) return operation.dtype;
  switch (BytesOf(operation.dtype)) {
    case 1:
      return Dtype::kUint8;
    case 2:
      return Dtype::kFloat16;
    case 4:
      return Dtype::kFloat32;
    default:
      return Dtype::kFloat64;
  }
}

Kernels KernelsOf(const Operation& operation) {
  const Kind kind = KindOf(operation);
  if (kind == Kind::kCopy) return {kind, Code::kSum, Dtype::kFloat32, Dtype::kFloat32, 0, false};
  const bool steps = operation.code == Code::kStep;
  const bool casts = operation.code == Code::kCast;
  return {kind,
          operation.code,
          DtypeOf(kind, operation),
          casts ? operation.to : Dtype::kFloat32,
          steps ? operation.rule : 0,
          kind == Kind::kCodec && operation.two_bit};
}

// Calls use(operand, whether it is written) until that gives true.
template <typename Use>
bool AnyOperand(const Operation& operation, Use use) {
  for (const Operand& each : operation.inputs)
    if (use(each, false)) return true;
  for (const Operand& each : operation.outs)
    if (use(each, true)) return true;
  if (operation.rows.address != 0 && use(operation.rows, false)) return true;
  if (operation.code != Code::kStep) return false;
  for (const Operand* const each : {&operation.stored, &operation.master, &operation.average}) {
    if (each->address != 0 && use(*each, true)) return true;
  }
  for (const Operand& each : operation.slots)
    if (use(each, true)) return true;
  return false;
}

bool Conflicts(const OperationGroup& group, const Operation& operation) {
  return AnyOperand(operation, [&](const Operand& operand, bool writes) {
    return group.ranges.Conflicts(operand.address, operand.bytes, writes);
  });
}

void Add(OperationGroup& group, const Operation& operation) {
  const size_t index = group.members.size();
  group.members.push_back({&operation, {}});
  group.temporary_bytes += TemporaryBytes(operation);
  AnyOperand(operation, [&](const Operand& operand, bool writes) {
    group.ranges.Add(operand.address, operand.bytes, writes, index);
    return false;
  });
}

bool HasRoom(const OperationGroup& group, const Operation& operation) {
  return group.temporary_bytes + TemporaryBytes(operation) <= kMostTemporaries;
}

}  // namespace

class Grouping {
 public:
  void Place(const Operation& operation) {
    if (operation.length == 0 && operation.code != Code::kSquares &&
        operation.code != Code::kIsFinite) {
      return;
    }
    const Kernels kernels = KernelsOf(operation);
    if (kernels.kind == Kind::kCopy && JoinStep(operation)) return;
    const size_t least = groups_.size() < kWindow ? 0 : groups_.size() - kWindow;
    for (size_t k = groups_.size(); k-- > least;) {
      OperationGroup& group = groups_[k];
      if (Conflicts(group, operation)) break;
      if (group.kernels != kernels || !HasRoom(group, operation)) continue;
      AddTo(k, operation);
      return;
    }
    groups_.push_back({.kernels = kernels, .members = {}, .ranges = {}});
    AddTo(groups_.size() - 1, operation);
  }

  std::vector<OperationGroup> groups() && { return std::move(groups_); }

 private:
  struct Step {
    size_t group, member;
  };

  void AddTo(size_t k, const Operation& operation) {
    Add(groups_[k], operation);
    if (operation.code != Code::kStep) return;
    steps_.insert_or_assign(operation.stored.address, Step{k, groups_[k].members.size() - 1});
  }

  // A copy of what a step has stored: the step writes it in the same pass.
  bool JoinStep(const Operation& copy) {
    const Operand& source = copy.inputs[0];
    const auto found = steps_.find(source.address);
    if (found == steps_.end()) return false;
    const auto [at, index] = found->second;
    if (groups_.size() - at > kWindow) return false;
    OperationGroup& group = groups_[at];
    Member& member = group.members[index];
    const Operation& step = *member.operation;
    const bool is_whole = step.rows.address == 0 && step.length == copy.length &&
                          step.dtype == copy.dtype && step.stored.bytes == source.bytes;
    if (!is_whole) return false;
    // An out may be a gradient of this step: nobody reads it any more when the out is written.
    for (const Operand& out : copy.outs)
      if (group.ranges.Conflicts(out.address, out.bytes, true, index)) return false;
    for (size_t k = at + 1; k < groups_.size(); ++k)
      if (Conflicts(groups_[k], copy)) return false;
    for (const Operand& out : copy.outs) {
      group.ranges.Add(out.address, out.bytes, true, index);
      member.copies.push_back(out);
    }
    return true;
  }

  std::vector<OperationGroup> groups_;
  std::map<uint64_t, Step> steps_;
};

std::vector<OperationGroup> GroupsOf(std::span<const Operation> operations) {
  Grouping grouping;
  for (const Operation& operation : operations) grouping.Place(operation);
  return std::move(grouping).groups();
}

}  // namespace tensorkv::cuda
