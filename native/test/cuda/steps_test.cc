#include <cmath>

#include "run_plan.h"
#include "suites.h"
#include "values.h"

// Every update rule.
namespace tensorkv::test {
namespace {

using cuda::Code;
using cuda::Operation;

// Which arrays a step has.
struct Variant {
  Dtype dtype;
  size_t inputs, outs, offset;
  bool master, average, rows;
  bool tame;  // numbers without NaN, so that sums over all of them are some
};

// What a step changes.
struct State {
  Elements stored, master, average;
  std::vector<Elements> slots;
};

// Rules of the whole tensor: their shapes are among their hyper-parameters, and slots may be
// shorter.
struct Shape {
  size_t rows, columns;
  std::vector<size_t> slots;
};

bool Is(const StepKernel& rule, const char* name) { return std::strcmp(rule.name, name) == 0; }

Shape ShapeOf(const StepKernel& rule, size_t rows, size_t columns) {
  const size_t length = rows * columns;
  if (Is(rule, "adafactorMatrix")) return {rows, columns, {rows, columns}};
  if (Is(rule, "groupAdagrad")) return {rows, columns, {rows}};
  if (Is(rule, "lamb") || Is(rule, "lans")) return {rows, columns, {length, length}};
  if (rule.slots == kWhole) return {rows, columns, {length}};
  return {rows, columns, std::vector<size_t>(rule.slots, length)};
}

// Enough for every rule: Muon asks for the most.
size_t ScratchLength(const Shape& shape) {
  const size_t side = shape.rows < shape.columns ? shape.rows : shape.columns;
  return 5 * shape.rows * shape.columns + 2 * side * side + 2 * shape.columns;
}

void SetShape(const StepKernel& rule, const Shape& shape, std::vector<double>& hyper) {
  const auto rows = static_cast<double>(shape.rows), columns = static_cast<double>(shape.columns);
  if (Is(rule, "adafactorMatrix")) {
    hyper[12] = rows;
    hyper[13] = columns;
  } else if (Is(rule, "groupAdagrad")) {
    hyper[6] = columns;
  } else if (Is(rule, "muon")) {
    hyper[7] = static_cast<double>(shape.rows % 3);
    hyper[9] = rows;
    hyper[10] = columns;
  } else if (Is(rule, "lamb") || Is(rule, "lans")) {
    hyper[13] = 0;
    hyper[14] = 10;
  }
}

std::vector<double> HyperOf(Random& random) {
  std::vector<double> hyper(20);
  for (double& each : hyper) each = 0.05 + (random.Next() % 900) / 1000.0;
  hyper[0] = 0.5;
  hyper[1] = random.Next() % 2 == 0 ? INFINITY : 1;
  hyper[2] = random.Next() % 2 == 0 ? 0 : 0.01;
  return hyper;
}

State StateOf(const Variant& variant, size_t length, const Shape& shape, Random& random) {
  const Dtype computed = ComputedDtype(variant.dtype);
  State state = {Elements(variant.dtype, length, variant.offset),
                 Elements(computed, variant.master ? length : 0, variant.offset),
                 Elements(computed, variant.average ? length : 0, variant.offset),
                 {}};
  if (variant.tame) {
    state.stored.FillTame(random);
    state.master.FillTame(random);
    state.average.FillTame(random);
  } else {
    state.stored.Fill(random);
    state.master.Fill(random);
    state.average.Fill(random);
  }
  for (const size_t slot : shape.slots) {
    state.slots.emplace_back(computed, slot, variant.offset).FillTame(random, true);
  }
  return state;
}

void RunOnCpu(const StepKernel& rule, const Operation& step, const std::vector<Elements>& inputs,
              State& state, const int64_t* rows, void* scratch) {
  std::vector<const void*> addresses;
  for (const Elements& each : inputs) addresses.push_back(each.data());
  void* slots[4] = {};
  for (size_t k = 0; k < state.slots.size(); ++k) slots[k] = state.slots[k].data();
  const StepArguments arguments = {
      .inputs = addresses.data(),
      .count = addresses.size(),
      .stored = state.stored.data(),
      .master = state.master.length() > 0 ? state.master.data() : nullptr,
      .slots = slots,
      .scratch = scratch,
      .average = state.average.length() > 0 ? state.average.data() : nullptr,
      .rows = rows,
      .row_length = step.row_length,
      .hyper = step.hyper.data(),
      .length = step.length};
  rule.run[static_cast<size_t>(step.dtype)](arguments);
}

void RunOnGpu(Operation& step, State& state) {
  step.stored = state.stored.operand();
  if (state.master.length() > 0) step.master = state.master.operand();
  if (state.average.length() > 0) step.average = state.average.operand();
  for (const Elements& each : state.slots) step.slots.push_back(each.operand());
  RunPlan(std::span(&step, 1));
}

void CheckSame(const State& actual, const State& expected) {
  CHECK(actual.stored.IsSame(expected.stored));
  CHECK(actual.master.IsSame(expected.master));
  CHECK(actual.average.IsSame(expected.average));
  for (size_t k = 0; k < actual.slots.size(); ++k) CHECK(actual.slots[k].IsSame(expected.slots[k]));
}

void TestRule(const KernelTable& kernels, size_t index, const Variant& variant, size_t row_length,
              size_t row_count, Random& random) {
  const StepKernel& rule = kernels.steps[index];
  const size_t length = row_length * row_count;
  Operation step{};
  step.code = Code::kStep;
  step.dtype = variant.dtype;
  step.rule = index;
  step.hyper = HyperOf(random);
  const Shape shape = ShapeOf(rule, row_count, row_length);
  SetShape(rule, shape, step.hyper);
  step.length = length;
  // Every second row, from the last on.
  std::vector<int64_t> rows;
  if (variant.rows) {
    for (size_t k = row_count; k > 0; k -= k > 1 ? 2 : 1)
      rows.push_back(static_cast<int64_t>(k) - 1);
    step.length = rows.size() * row_length;
    step.row_length = row_length;
    step.rows = {reinterpret_cast<uint64_t>(rows.data()), rows.size() * sizeof(int64_t)};
  }
  std::vector<Elements> inputs;
  for (size_t k = 0; k < variant.inputs; ++k) {
    Elements& input = inputs.emplace_back(variant.dtype, step.length, variant.offset);
    if (variant.tame) {
      input.FillTame(random);
    } else {
      input.Fill(random);
    }
    step.inputs.push_back(inputs.back().operand());
  }
  State expected = StateOf(variant, length, shape, random);
  State actual = expected;
  std::vector<Elements> outs;
  for (size_t k = 0; k < variant.outs; ++k) {
    outs.push_back(expected.stored);
    step.outs.push_back(outs.back().operand());
  }
  std::vector<double> scratch(rule.slots == kWhole ? ScratchLength(shape) : 0);
  RunOnCpu(rule, step, inputs, expected, variant.rows ? rows.data() : nullptr, scratch.data());
  RunOnGpu(step, actual);
  CheckSame(actual, expected);
  for (const Elements& each : outs) CHECK(each.IsSame(expected.stored));
}

void TestElements(const KernelTable& kernels, size_t rule, Dtype dtype, Random& random) {
  const bool is_half = dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16;
  for (const size_t inputs : {1, 2, 9}) {
    const bool odd = inputs == 2;
    Variant variant = {.dtype = dtype,
                       .inputs = inputs,
                       .outs = inputs / 2,
                       .offset = odd ? size_t{1} : size_t{0},
                       .master = false,
                       .average = odd,
                       .rows = false,
                       .tame = false};
    TestRule(kernels, rule, variant, odd ? 517 : 4099, 1, random);
    variant.rows = true;
    TestRule(kernels, rule, variant, odd ? 7 : 64, 37, random);
    if (!is_half) continue;
    variant.master = true;
    TestRule(kernels, rule, variant, odd ? 2051 : 4100, 3, random);
    variant.rows = false;
    TestRule(kernels, rule, variant, 1029, 1, random);
  }
}

void TestWhole(const KernelTable& kernels, size_t rule, Dtype dtype, Random& random) {
  const bool is_half = dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16;
  constexpr size_t kShapes[][2] = {{1, 1}, {7, 33}, {67, 5}, {70, 90}, {33, 513}};
  for (const auto& [rows, columns] : kShapes) {
    for (const bool master : {false, true}) {
      if (master && !is_half) continue;
      const bool odd = rows % 2 != 0;
      const Variant variant = {.dtype = dtype,
                               .inputs = odd ? size_t{1} : size_t{9},
                               .outs = odd ? size_t{0} : size_t{2},
                               .offset = columns == 5 ? size_t{1} : size_t{0},
                               .master = master,
                               .average = odd,
                               .rows = false,
                               .tame = rows != 7};
      TestRule(kernels, rule, variant, columns, rows, random);
    }
  }
}

}  // namespace

void TestCudaSteps(const KernelTable& kernels) {
  Random random(2);
  constexpr Dtype kFloats[] = {Dtype::kFloat32, Dtype::kFloat64, Dtype::kFloat16, Dtype::kBfloat16};
  for (size_t k = 0; k < *kernels.step_count; ++k) {
    for (const Dtype dtype : kFloats) {
      if (kernels.steps[k].slots == kWhole) {
        TestWhole(kernels, k, dtype, random);
      } else {
        TestElements(kernels, k, dtype, random);
      }
    }
  }
}

}  // namespace tensorkv::test
