#include "plan.h"

#include <algorithm>

#include "plan_parts.h"
#include "rules.h"
#include "temporaries.h"

namespace tensorkv::cuda {
namespace {

#define TENSORKV_NAMES(name)                                                                  \
  {"tensorkv_" #name "_float32",  "tensorkv_" #name "_float64", "tensorkv_" #name "_float16", \
   "tensorkv_" #name "_bfloat16", "tensorkv_" #name "_int8",    "tensorkv_" #name "_uint8",   \
   "tensorkv_" #name "_int32",    "tensorkv_" #name "_int64"}
using Names = const char* const[kDtypeCount];
constexpr Names kSums = TENSORKV_NAMES(sum);
constexpr Names kAddScaled = TENSORKV_NAMES(add_scaled);
constexpr Names kMultiply = TENSORKV_NAMES(multiply);
constexpr Names kAddNumber = TENSORKV_NAMES(add_number);
constexpr Names kMultiplyNumber = TENSORKV_NAMES(multiply_number);
constexpr Names kSumRows = TENSORKV_NAMES(sum_rows);
constexpr Names kCasts[kDtypeCount] = {TENSORKV_NAMES(cast_float32), TENSORKV_NAMES(cast_float64),
                                       TENSORKV_NAMES(cast_float16), TENSORKV_NAMES(cast_bfloat16),
                                       TENSORKV_NAMES(cast_int8),    TENSORKV_NAMES(cast_uint8),
                                       TENSORKV_NAMES(cast_int32),   TENSORKV_NAMES(cast_int64)};
constexpr const char* kFills[] = {nullptr, "tensorkv_fill_1", "tensorkv_fill_2",
                                  nullptr, "tensorkv_fill_4", nullptr,
                                  nullptr, nullptr,           "tensorkv_fill_8"};
constexpr const char* kFiniteChecks[kDtypeCount] = {
    "tensorkv_is_finite_float32", "tensorkv_is_finite_float64", "tensorkv_is_finite_float16",
    "tensorkv_is_finite_bfloat16"};

const char* ArithmeticKernel(Code code, Dtype dtype) {
  const auto k = static_cast<size_t>(dtype);
  switch (code) {
    case Code::kAddScaled:
      return kAddScaled[k];
    case Code::kMultiply:
      return kMultiply[k];
    case Code::kAddNumber:
      return kAddNumber[k];
    default:
      return kMultiplyNumber[k];
  }
}

const char* CodecKernel(Code code, bool two_bit) {
  switch (code) {
    case Code::kEncode:
      return two_bit ? "tensorkv_encode_2bit" : "tensorkv_encode_1bit";
    case Code::kDecode:
      return two_bit ? "tensorkv_decode_2bit" : "tensorkv_decode_1bit";
    default:
      return two_bit ? "tensorkv_quantize_2bit" : "tensorkv_quantize_1bit";
  }
}

const char* MoveKernel(Code code) {
  return code == Code::kGatherRows ? "tensorkv_gather_rows" : "tensorkv_scatter_rows";
}

void AddAddresses(std::vector<uint64_t>& addresses, std::span<const Operand> operands) {
  for (const Operand& each : operands) addresses.push_back(each.address);
}

std::vector<uint64_t> AddressesOf(const Operation& operation) {
  std::vector<uint64_t> addresses;
  addresses.reserve(operation.inputs.size() + operation.outs.size());
  AddAddresses(addresses, operation.inputs);
  AddAddresses(addresses, operation.outs);
  return addresses;
}

// Bytes of an input and of an out that a thread moves at once.
struct Widths {
  size_t inputs, outs;
};

Widths WidthsOf(const Operation& operation) {
  if (operation.code != Code::kCast || operation.dtype == operation.to) return {16, 16};
  const size_t from = BytesOf(operation.dtype), to = BytesOf(operation.to);
  const size_t count = std::max<size_t>(4, 16 / std::max(from, to));
  return {std::min<size_t>(16, count * from), std::min<size_t>(16, count * to)};
}

uint32_t AddListItem(TableBuilder& table, const Operation& operation, size_t length) {
  const Widths widths = WidthsOf(operation);
  const bool wide =
      AreAligned(operation.inputs, widths.inputs) && AreAligned(operation.outs, widths.outs);
  const ListItem item = {.length = length,
                         .number = operation.scalar.number,
                         .bits = operation.scalar.bits,
                         .partials = 0,
                         .inputs = static_cast<uint32_t>(operation.inputs.size()),
                         .outs = static_cast<uint32_t>(operation.outs.size()),
                         .wide = wide,
                         .threshold = operation.threshold};
  return table.AddItem(item, AddressesOf(operation));
}

void PlanLists(TableBuilder& table, const OperationGroup& group, const char* kernel,
               bool as_bytes = false) {
  std::vector<Work> work;
  for (const Member& member : group.members) {
    const Operation& operation = *member.operation;
    const size_t length = operation.length * (as_bytes ? BytesOf(operation.dtype) : 1);
    work.push_back({AddListItem(table, operation, length), length});
  }
  table.AddLaunch(kernel, work);
}

// Codes are bytes: only the arrays of floats may be wide. An encoder fills up its last 4 bytes.
void PlanCodecs(TableBuilder& table, const OperationGroup& group) {
  const Kernels& kernels = group.kernels;
  const size_t whole = kernels.two_bit ? 16 : 32;
  std::vector<Work> work;
  for (const Member& member : group.members) {
    const Operation& operation = *member.operation;
    const size_t length = (operation.length + whole - 1) / whole * whole;
    work.push_back({AddListItem(table, operation, operation.length), length});
  }
  table.AddLaunch(CodecKernel(kernels.code, kernels.two_bit), work);
}

void PlanFinite(TableBuilder& table, const OperationGroup& group) {
  std::vector<Work> fills, checks;
  for (const Member& member : group.members) {
    Operation fill{};
    fill.code = Code::kFill;
    fill.dtype = Dtype::kInt32;
    fill.outs = member.operation->outs;
    fill.scalar.bits = 1;
    fills.push_back({AddListItem(table, fill, 1), 1});
    const size_t length = member.operation->length;
    if (length > 0) checks.push_back({AddListItem(table, *member.operation, length), length});
  }
  table.AddLaunch("tensorkv_fill_4", fills);
  const char* const kernel = kFiniteChecks[static_cast<size_t>(group.kernels.dtype)];
  if (kernel != nullptr) table.AddLaunch(kernel, checks);
}

// `unit`: what a thread moves at once; `row_length` and it are elements of one kind, or bytes.
uint32_t AddRowItem(TableBuilder& table, const Operation& operation, size_t unit) {
  const RowItem item = {.rows = operation.rows.address,
                        .row_length = operation.row_length,
                        .length = operation.length,
                        .inputs = static_cast<uint32_t>(operation.inputs.size()),
                        .outs = static_cast<uint32_t>(operation.outs.size()),
                        .unit = static_cast<uint32_t>(unit),
                        .lanes_log2 = LanesLog2((operation.row_length + unit - 1) / unit)};
  return table.AddItem(item, AddressesOf(operation));
}

void PlanRows(TableBuilder& table, const OperationGroup& group, const char* kernel) {
  const bool sums = group.kernels.kind == Kind::kSumRows;
  const size_t width = sums ? 16 / BytesOf(group.kernels.dtype) : 16;
  std::vector<Work> work;
  for (const Member& member : group.members) {
    const Operation& operation = *member.operation;
    const bool wide = operation.row_length % width == 0 && AreAligned(operation.inputs, 16) &&
                      AreAligned(operation.outs, 16);
    const bool words = !sums && operation.row_length % 4 == 0 && AreAligned(operation.inputs, 4) &&
                       AreAligned(operation.outs, 4);
    const size_t unit = wide ? width : words ? 4 : 1;
    work.push_back({AddRowItem(table, operation, unit), operation.length * operation.row_length,
                    operation.row_length});
  }
  table.AddLaunch(kernel, work);
}

void PlanGroup(TableBuilder& table, const OperationGroup& group) {
  const Kernels& kernels = group.kernels;
  const auto dtype = static_cast<size_t>(kernels.dtype);
  switch (kernels.kind) {
    case Kind::kCopy:
      return PlanLists(table, group, "tensorkv_copy", true);
    case Kind::kSum:
      return PlanLists(table, group, kSums[dtype]);
    case Kind::kStep:
      return PlanSteps(table, group);
    case Kind::kWholeStep:
      return PlanWholeSteps(table, group);
    case Kind::kCast:
      return PlanLists(table, group, kCasts[dtype][static_cast<size_t>(kernels.to)]);
    case Kind::kFill:
      return PlanLists(table, group, kFills[BytesOf(kernels.dtype)]);
    case Kind::kArithmetic:
      return PlanLists(table, group, ArithmeticKernel(kernels.code, kernels.dtype));
    case Kind::kCodec:
      return PlanCodecs(table, group);
    case Kind::kSumRows:
      return PlanRows(table, group, kSumRows[dtype]);
    case Kind::kMoveRows:
      return PlanRows(table, group, MoveKernel(kernels.code));
    case Kind::kSquares:
      return PlanSquares(table, group);
    case Kind::kIsFinite:
      return PlanFinite(table, group);
  }
}

}  // namespace

bool AreAligned(std::span<const Operand> operands, size_t alignment) {
  uint64_t bits = 0;
  for (const Operand& each : operands) bits |= each.address;
  return bits % alignment == 0;
}

uint32_t LanesLog2(size_t units) {
  constexpr size_t kLong = size_t{4} * kThreads;
  if (units >= kLong) return 8;
  uint32_t log2 = 0;
  while (log2 < 5 && (size_t{1} << log2) < units) ++log2;
  return log2;
}

StepItem StepItemOf(TableBuilder& table, const Member& member) {
  const Operation& step = *member.operation;
  const size_t bytes = BytesOf(step.dtype);
  const size_t computed = BytesOf(ComputedIn(step.dtype));
  const size_t count = 16 / computed;
  const Operand others[] = {step.master, step.average};
  const Operand own[] = {step.stored};
  const bool wide = AreAligned(step.inputs, count * bytes) &&
                    AreAligned(step.outs, count * bytes) && AreAligned(own, count * bytes) &&
                    AreAligned(member.copies, count * bytes) && AreAligned(others, 16) &&
                    AreAligned(step.slots, 16) &&
                    (step.rows.address == 0 || step.row_length % count == 0);
  std::vector<uint64_t> addresses = AddressesOf(step);
  AddAddresses(addresses, member.copies);
  StepItem item = {.stored = step.stored.address,
                   .master = step.master.address,
                   .average = step.average.address,
                   .rows = step.rows.address,
                   .row_length = step.rows.address == 0 ? 0 : step.row_length,
                   .slots = {},
                   .hyper = table.AddHyper(step),
                   .list = table.AddAddresses(addresses),
                   .inputs = static_cast<uint32_t>(step.inputs.size()),
                   .outs = static_cast<uint32_t>(step.outs.size() + member.copies.size()),
                   .lanes_log2 = 8,
                   .wide = wide,
                   .keeps_master = 1};
  for (size_t k = 0; k < step.slots.size(); ++k) item.slots[k] = step.slots[k].address;
  if (item.rows != 0) item.lanes_log2 = LanesLog2(wide ? step.row_length / count : step.row_length);
  return item;
}

void PlanSteps(TableBuilder& table, const OperationGroup& group) {
  std::vector<Work> work;
  for (const Member& member : group.members) {
    const Operation& step = *member.operation;
    const StepItem item = StepItemOf(table, member);
    work.push_back({table.AddItem(item), step.length, item.row_length});
  }
  table.AddLaunch(StepKernelOf(group.kernels.rule, group.kernels.dtype), work);
}

Plan PlanOf(std::span<const Operation> operations) {
  TableBuilder table;
  size_t temporary_bytes = 0;
  for (const OperationGroup& group : GroupsOf(operations)) {
    PlanGroup(table, group);
    temporary_bytes = std::max(temporary_bytes, group.temporary_bytes);
  }
  return table.Finish(temporary_bytes, operations);
}

}  // namespace tensorkv::cuda
