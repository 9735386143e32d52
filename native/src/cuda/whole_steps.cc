#include <algorithm>

#include "../optimizers/muon_constants.h"
#include "../step.h"
#include "plan_parts.h"
#include "rules.h"
#include "temporaries.h"

// Rules that need the whole tensor, and sums of squares: several launches each, of all operations
// of a group at once. whole_*.cuh have the kernels.
namespace tensorkv::cuda {
namespace {

using FloatNames = const char* const[4];     // by dtype
using ComputedNames = const char* const[2];  // float32, float64
#define TENSORKV_FLOATS(name)                                                                \
  {"tensorkv_" #name "_float32", "tensorkv_" #name "_float64", "tensorkv_" #name "_float16", \
   "tensorkv_" #name "_bfloat16"}
#define TENSORKV_COMPUTED(name) {"tensorkv_" #name "_float32", "tensorkv_" #name "_float64"}
constexpr FloatNames kSquares = TENSORKV_FLOATS(squares);
constexpr FloatNames kFirstLamb = TENSORKV_FLOATS(first_lamb);
constexpr FloatNames kFirstLars = TENSORKV_FLOATS(first_lars);
constexpr FloatNames kFirstLans = TENSORKV_FLOATS(first_lans);
constexpr FloatNames kFirstAdafactorVector = TENSORKV_FLOATS(first_adafactorVector);
constexpr FloatNames kFirstKeep = TENSORKV_FLOATS(first_keep);
constexpr FloatNames kFirstMuon = TENSORKV_FLOATS(first_muon);
constexpr ComputedNames kSecondLans = TENSORKV_COMPUTED(second_lans);
constexpr ComputedNames kSecondAdafactorMatrix = TENSORKV_COMPUTED(second_adafactorMatrix);
constexpr ComputedNames kRowsAdafactorMatrix = TENSORKV_COMPUTED(rows_adafactorMatrix);
constexpr ComputedNames kColumnsAdafactorMatrix = TENSORKV_COMPUTED(columns_adafactorMatrix);
constexpr ComputedNames kRowsGroupAdagrad = TENSORKV_COMPUTED(rows_groupAdagrad);
constexpr ComputedNames kAddInOrder = TENSORKV_COMPUTED(add_in_order);
constexpr ComputedNames kProduct = TENSORKV_COMPUTED(product);
constexpr ComputedNames kTranspose = TENSORKV_COMPUTED(transpose);
constexpr ComputedNames kNormalise = TENSORKV_COMPUTED(normalise);

FloatNames& FirstOf(Rule rule) {
  switch (rule) {
    case Rule::kLamb:
      return kFirstLamb;
    case Rule::kLars:
      return kFirstLars;
    case Rule::kLans:
      return kFirstLans;
    case Rule::kAdafactorVector:
      return kFirstAdafactorVector;
    case Rule::kMuon:
      return kFirstMuon;
    default:
      return kFirstKeep;
  }
}

// Hyper-parameter `k` of the rule; those that are not given are zeros.
double HyperAt(const Operation& step, size_t k) {
  return kCommonHyper + k < step.hyper.size() ? step.hyper[kCommonHyper + k] : 0;
}

// A step of a group, with its temporaries and its item.
struct Task {
  const Operation* step;
  WholeItem item;
  uint32_t place;
  uint64_t squares[2];
};

uint64_t TemporaryAt(size_t base, size_t offset) {
  return offset == Temporaries::kNone ? 0 : TableBuilder::Temporary(base + offset);
}

class WholeSteps {
 public:
  WholeSteps(TableBuilder& table, const OperationGroup& group)
      : table_(table),
        rule_(RuleOf(group.kernels.rule)),
        dtype_(group.kernels.dtype),
        computed_(ComputedIn(dtype_) == Dtype::kFloat64 ? 1 : 0),
        last_(StepKernelOf(group.kernels.rule, dtype_)) {
    size_t base = 0;
    for (const Member& member : group.members) {
      tasks_.push_back(TaskOf(member, base));
      base += TemporaryBytes(*member.operation);
    }
  }

  void Plan() {
    table_.AddLaunch(FirstOf(rule_)[static_cast<size_t>(dtype_)], Elements());
    switch (rule_) {
      case Rule::kLamb:
      case Rule::kLars:
      case Rule::kAdafactorVector:
        AddSums(2, 0);
        break;
      case Rule::kLans:
        AddSums(1, 0);
        table_.AddLaunch(kSecondLans[computed_], Elements());
        AddSums(3, 1);
        break;
      case Rule::kGroupAdagrad:
        table_.AddLaunch(kRowsGroupAdagrad[computed_], Rows(), kSide);
        break;
      case Rule::kAdafactorMatrix:
        PlanFactors();
        break;
      case Rule::kMuon:
        PlanProducts();
        break;
      case Rule::kElements:
        break;
    }
    table_.AddLaunch(last_, Elements());
  }

 private:
  Task TaskOf(const Member& member, size_t base) {
    const Operation& step = *member.operation;
    const Temporaries room = TemporariesOf(step);
    Task task = {.step = &step, .item = {}, .place = 0, .squares = {}};
    WholeItem& item = task.item;
    item.step = StepItemOf(table_, member);
    item.length = step.length;
    item.gradient = TemporaryAt(base, room.gradient);
    item.second = TemporaryAt(base, room.second);
    item.partials = TemporaryAt(base, room.partials);
    item.sums = TemporaryAt(base, room.sums);
    for (size_t k = 0; k < 2; ++k) task.squares[k] = TemporaryAt(base, room.squares[k]);
    if (rule_ == Rule::kAdafactorMatrix) {
      item.rows = static_cast<uint64_t>(HyperAt(step, 8));
      item.columns = static_cast<uint64_t>(HyperAt(step, 9));
    } else if (rule_ == Rule::kGroupAdagrad) {
      item.columns = static_cast<uint64_t>(HyperAt(step, 2));
      item.rows = step.length / item.columns;
    } else if (rule_ == Rule::kMuon) {
      item.rows = static_cast<uint64_t>(HyperAt(step, 5));
      item.columns = static_cast<uint64_t>(HyperAt(step, 6));
    }
    // What the launches compute with lies in the master, in a temporary, or in the tensor itself.
    if (room.weights != Temporaries::kNone) {
      item.step.master = TemporaryAt(base, room.weights);
      item.step.keeps_master = 0;
    } else if (!IsHalf(dtype_)) {
      item.step.master = item.step.stored;
      item.step.keeps_master = 1;
    }
    WholeItem last = item;
    if (rule_ == Rule::kMuon) last.second = ResultOf(task);
    task.place = table_.AddItem(last);
    return task;
  }

  std::vector<Work> Elements() const {
    std::vector<Work> work;
    work.reserve(tasks_.size());
    for (const Task& task : tasks_) work.push_back({task.place, task.item.length});
    return work;
  }
  std::vector<Work> Rows() const {
    std::vector<Work> work;
    work.reserve(tasks_.size());
    for (const Task& task : tasks_) work.push_back({task.place, task.item.rows});
    return work;
  }

  // sums[to + k] = the sum of partials k, for k below `count`.
  void AddSums(size_t count, size_t to) {
    std::vector<Work> work;
    for (const Task& task : tasks_) {
      const uint64_t tiles = cuda::TilesOf(task.item.length);
      for (size_t k = 0; k < count; ++k) {
        const PartialItem item = {.from = task.item.partials + k * tiles * sizeof(double),
                                  .to = task.item.sums + (to + k) * sizeof(double),
                                  .count = tiles};
        work.push_back({table_.AddItem(item), 1});
      }
    }
    table_.AddLaunch(kAddInOrder[1], work, 1, kWarp);
  }

  void PlanFactors() {
    table_.AddLaunch(kRowsAdafactorMatrix[computed_], Rows(), kSide);
    std::vector<Work> columns, totals;
    for (const Task& task : tasks_) {
      columns.push_back({task.place, task.item.columns});
      const PartialItem total = {.from = task.item.step.slots[0],
                                 .to = task.item.sums + 2 * sizeof(double),
                                 .count = task.item.rows};
      totals.push_back({table_.AddItem(total), 1});
    }
    table_.AddLaunch(kColumnsAdafactorMatrix[computed_], columns, kThreads);
    table_.AddLaunch(kAddInOrder[computed_], totals, 1, kWarp);
    table_.AddLaunch(kSecondAdafactorMatrix[computed_], Elements());
    AddSums(2, 0);
  }

  static size_t IterationsOf(const Task& task) {
    return static_cast<size_t>(std::max(0, static_cast<int>(HyperAt(*task.step, 3))));
  }
  static bool IsHigh(const Task& task) { return task.item.rows > task.item.columns; }

  // Where x of Muon is after `turns` iterations: it goes from one room to the other and back.
  static uint64_t XOf(const Task& task, size_t turns) {
    const bool second = IsHigh(task) != (turns % 2 != 0);
    return second ? task.item.second : task.item.gradient;
  }
  static uint64_t ResultOf(const Task& task) { return XOf(task, IterationsOf(task)); }

  void PlanProducts() {
    std::vector<Work> transposes, squares, sums, all;
    for (const Task& task : tasks_) {
      const WholeItem& whole = task.item;
      const MatrixItem matrix = {whole.gradient, XOf(task, 0), whole.rows, whole.columns,
                                 whole.sums};
      const uint32_t place = table_.AddItem(matrix);
      all.push_back({place, whole.length});
      if (IsHigh(task)) transposes.push_back({place, TilesOf(matrix, kSide)});
      ListItem list{};
      list.length = whole.length;
      list.partials = whole.partials;
      list.inputs = 1;
      const uint64_t x[] = {XOf(task, 0)};
      squares.push_back({table_.AddItem(list, x), whole.length});
      const PartialItem sum = {whole.partials, whole.sums, cuda::TilesOf(whole.length)};
      sums.push_back({table_.AddItem(sum), 1});
    }
    table_.AddLaunch(kTranspose[computed_], transposes, 1);
    table_.AddLaunch(kSquares[computed_], squares);
    table_.AddLaunch(kAddInOrder[1], sums, 1, kWarp);
    table_.AddLaunch(kNormalise[computed_], all);
    size_t most = 0;
    for (const Task& task : tasks_) most = std::max(most, IterationsOf(task));
    for (size_t k = 0; k < most; ++k) PlanIteration(k);
  }

  static size_t TilesOf(const MatrixItem& matrix, size_t side) {
    return ((matrix.rows + side - 1) / side) * ((matrix.columns + side - 1) / side);
  }

  // s = x x^T; p = b s + c s s; x = a x + p x
  void PlanIteration(size_t k) {
    std::vector<Work> products[3];
    for (const Task& task : tasks_) {
      if (k >= IterationsOf(task)) continue;
      const uint64_t side = std::min(task.item.rows, task.item.columns);
      const uint64_t longer = std::max(task.item.rows, task.item.columns);
      const uint64_t x = XOf(task, k), next = XOf(task, k + 1);
      const uint64_t s = task.squares[0], p = task.squares[1];
      AddProduct(products[0], {x, x, 0, s, side, side, longer, 0, 1, 1});
      AddProduct(products[1], {s, s, s, p, side, side, side, kMuonB, kMuonC, 0});
      AddProduct(products[2], {p, x, x, next, side, longer, side, kMuonA, 1, 0});
    }
    for (const auto& work : products) table_.AddLaunch(kProduct[computed_], work, 1);
  }

  void AddProduct(std::vector<Work>& work, const ProductItem& item) {
    const size_t down = (item.rows + kProductSide - 1) / kProductSide;
    const size_t across = (item.columns + kProductSide - 1) / kProductSide;
    work.push_back({table_.AddItem(item), down * across});
  }

  TableBuilder& table_;
  Rule rule_;
  Dtype dtype_;
  size_t computed_;  // place among ComputedNames
  const char* last_;
  std::vector<Task> tasks_;
};

}  // namespace

void PlanWholeSteps(TableBuilder& table, const OperationGroup& group) {
  WholeSteps(table, group).Plan();
}

void PlanSquares(TableBuilder& table, const OperationGroup& group) {
  std::vector<Work> squares, sums;
  size_t base = 0;
  for (const Member& member : group.members) {
    const Operation& operation = *member.operation;
    ListItem item{};
    item.length = operation.length;
    item.partials = TableBuilder::Temporary(base);
    item.inputs = static_cast<uint32_t>(operation.inputs.size());
    std::vector<uint64_t> inputs;
    inputs.reserve(operation.inputs.size());
    for (const Operand& each : operation.inputs) inputs.push_back(each.address);
    squares.push_back({table.AddItem(item, inputs), operation.length});
    const PartialItem sum = {item.partials, operation.outs[0].address, TilesOf(operation.length)};
    sums.push_back({table.AddItem(sum), 1});
    base += TemporaryBytes(operation);
  }
  table.AddLaunch(kSquares[static_cast<size_t>(group.kernels.dtype)], squares);
  table.AddLaunch(kAddInOrder[1], sums, 1, kWarp);
}

}  // namespace tensorkv::cuda
