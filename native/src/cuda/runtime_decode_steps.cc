// Steps of update rules.
#include <cstring>

#include "../kernels.h"
#include "runtime_decoder.h"

namespace tensorkv::cuda {
namespace {

// Of Muon; each is some launches.
constexpr double kMostIterations = 1000;

// Elements of each slot of a rule that sees the whole tensor; src/core/optimizers has them.
std::vector<size_t> WholeSlots(const char* rule, const double* own, size_t length) {
  const auto is = [rule](const char* name) { return std::strcmp(rule, name) == 0; };
  const auto count = [](double number) {
    Expect(number >= 0 && number <= kMostLength && number == std::floor(number),
           "Expected a shape among the hyper-parameters");
    return static_cast<size_t>(number);
  };
  if (is("lamb") || is("lans")) return {length, length};
  if (is("lars") || is("adafactorVector")) return {length};
  if (is("groupAdagrad")) {
    const size_t columns = count(own[2]);
    Expect(length == 0 || (columns > 0 && length % columns == 0), "Expected rows of one length");
    return {columns == 0 ? 0 : length / columns};
  }
  const bool is_muon = is("muon");
  Expect(is_muon || is("adafactorMatrix"), "Expected a rule that is known");
  Expect(!is_muon || (own[3] >= 0 && own[3] <= kMostIterations && own[3] == std::floor(own[3])),
         "Expected a number of iterations among the hyper-parameters");
  const size_t rows = count(own[is_muon ? 5 : 8]), columns = count(own[is_muon ? 6 : 9]);
  Expect(Times(rows, columns) == length, "Expected the shape of the tensor");
  return is_muon ? std::vector<size_t>{length} : std::vector<size_t>{rows, columns};
}

}  // namespace

void Decoder::CompleteStep(Head& head) {
  Operation& operation = head.operation;
  const KernelTable& table = *KernelsFor(Cpu::kBaseline);
  Expect(operation.rule < *table.step_count, "Expected an update rule");
  Expect(IsFloating(operation.dtype), "Expected a floating dtype");
  Expect(!head.inputs.empty(), "Expected an input");
  Expect(operation.hyper.size() >= kCommonHyper, "Expected hyper-parameters");
  // A rule finds a zero where it looks for more than was given.
  operation.hyper.resize(kMostHyper);
  const size_t size = BytesOf(operation.dtype), computed = BytesOf(ComputedIn(operation.dtype));
  const bool has_rows = head.rows.id != 0;
  const size_t listed = Times(operation.length, size);
  if (has_rows) {
    Expect(operation.row_length > 0 && operation.length % operation.row_length == 0,
           "Expected rows of one length");
    operation.rows = Reach(head.rows, Times(operation.length / operation.row_length, 8), 8, false);
  }
  // Which rows of it are there, the device alone knows.
  const size_t whole = has_rows ? kRest : Times(operation.length, computed);
  operation.stored = Reach(head.stored, has_rows ? kRest : listed, size, true);
  operation.master = ReachOptional(head.master, whole, computed, true);
  operation.average = ReachOptional(head.average, whole, computed, true);
  operation.scratch = ReachOptional(head.scratch, kRest, computed, true);
  Expect(operation.master.address == 0 || size < computed, "Expected a half type with a master");
  ReachAll(head.inputs, listed, size, false, &operation.inputs);
  ReachAll(head.outs, has_rows ? kRest : listed, size, true, &operation.outs);
  CompleteSlots(head);

  std::vector<Range> apart = {RangeOf(operation.stored, !has_rows)};
  for (const Operand* each : {&operation.master, &operation.average}) {
    if (each->address != 0) apart.push_back(RangeOf(*each, !has_rows));
  }
  if (operation.scratch.address != 0) apart.push_back(RangeOf(operation.scratch, false));
  for (const Operand& slot : operation.slots) apart.push_back(RangeOf(slot, !has_rows));
  for (size_t k = 0; k < apart.size(); ++k) {
    for (size_t j = 0; j < k; ++j) RequireApart(apart[k], apart[j]);
    for (const Operand& input : operation.inputs) {
      if (k == 0 && !has_rows) {
        RequireAligned(apart[k], RangeOf(input));
      } else {
        RequireApart(apart[k], RangeOf(input));
      }
    }
    if (has_rows) RequireApart(RangeOf(operation.rows), apart[k]);
  }
  for (size_t k = 0; k < operation.outs.size(); ++k) {
    const Range out = RangeOf(operation.outs[k], !has_rows);
    for (size_t j = 1; j < apart.size(); ++j) RequireApart(out, apart[j]);
    if (has_rows) RequireApart(RangeOf(operation.rows), out);
    if (!has_rows) RequireAligned(out, apart[0]);
    for (const Operand& input : operation.inputs) {
      if (has_rows) {
        RequireApart(out, RangeOf(input));
      } else {
        RequireAligned(out, RangeOf(input));
      }
    }
    for (size_t j = 0; j < k; ++j) {
      const Range other = RangeOf(operation.outs[j], !has_rows);
      Expect(AreAligned(out, other), "Expected arrays that do not overlap in part");
    }
  }
}

void Decoder::CompleteSlots(Head& head) {
  Operation& operation = head.operation;
  const StepKernel& rule = KernelsFor(Cpu::kBaseline)->steps[operation.rule];
  const size_t computed = BytesOf(ComputedIn(operation.dtype));
  const bool has_rows = head.rows.id != 0;
  std::vector<size_t> lengths;
  if (rule.slots == kWhole) {
    Expect(!has_rows, "Expected a rule that takes rows");
    lengths = WholeSlots(rule.name, operation.hyper.data() + kCommonHyper, operation.length);
  } else {
    lengths.assign(rule.slots, operation.length);
  }
  Expect(head.slots.size() == lengths.size(), "Expected the slots of the rule");
  for (size_t k = 0; k < lengths.size(); ++k) {
    operation.slots.push_back(
        Reach(head.slots[k], has_rows ? kRest : Times(lengths[k], computed), computed, true));
  }
}

}  // namespace tensorkv::cuda
