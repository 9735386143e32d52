#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

// The formulas are compared elsewhere. Here every rule of every dtype runs on arrays that end where
// their memory ends: a sanitizer sees what it reads or writes beside them.
namespace tensorkv::test {
namespace {

constexpr size_t kMostSlots = 3;

// Enough scratch for every rule: Muon asks for the most.
size_t ScratchLength(size_t rows, size_t columns) {
  const size_t side = rows < columns ? rows : columns;
  return 5 * rows * columns + 2 * side * side + 2 * columns;
}

template <typename C>
void RunRule(const StepKernel& rule, Dtype dtype, size_t element_bytes, size_t rows,
             size_t columns) {
  const size_t length = rows * columns;
  const bool is_matrix = std::strcmp(rule.name, "adafactorMatrix") == 0;
  std::vector<Array<uint8_t>> arrays;
  const auto bytes_of = [&](size_t elements, size_t size) {
    arrays.emplace_back(elements * size, 0, static_cast<uint32_t>(arrays.size() + 1));
    std::memset(arrays.back().data(), 0x3c, elements * size);  // about 0.01 in every float type
    return static_cast<void*>(arrays.back().data());
  };
  const void* inputs[] = {bytes_of(length, element_bytes), bytes_of(length, element_bytes)};
  void* slots[kMostSlots];
  // The slots of a factored rule are shorter.
  slots[0] =
      bytes_of(is_matrix || std::strcmp(rule.name, "groupAdagrad") == 0 ? rows : length, sizeof(C));
  slots[1] = bytes_of(is_matrix ? columns : length, sizeof(C));
  slots[2] = bytes_of(length, sizeof(C));
  double hyper[24] = {1, INFINITY, 0.01, 0.9};
  for (size_t k = 4; k < 24; ++k) hyper[k] = 0.5;
  if (is_matrix) {
    hyper[12] = static_cast<double>(rows);
    hyper[13] = static_cast<double>(columns);
  } else if (std::strcmp(rule.name, "groupAdagrad") == 0) {
    hyper[6] = static_cast<double>(columns);
  } else if (std::strcmp(rule.name, "muon") == 0) {
    hyper[7] = 2;
    hyper[9] = static_cast<double>(rows);
    hyper[10] = static_cast<double>(columns);
  }
  std::vector<C> scratch(ScratchLength(rows, columns));
  const StepArguments arguments = {.inputs = inputs,
                                   .count = 2,
                                   .stored = bytes_of(length, element_bytes),
                                   .master = nullptr,
                                   .slots = slots,
                                   .scratch = scratch.data(),
                                   .average = bytes_of(length, sizeof(C)),
                                   .rows = nullptr,
                                   .row_length = 0,
                                   .hyper = hyper,
                                   .length = length};
  rule.run[static_cast<size_t>(dtype)](arguments);
  CHECK(length == 0 || std::isfinite(static_cast<C*>(slots[2])[length - 1]));
}

}  // namespace

void TestSteps(const KernelTable& kernels) {
  constexpr size_t kShapes[][2] = {{0, 3}, {1, 1}, {3, 7}, {9, 64}, {2, 513}};
  for (size_t k = 0; k < *kernels.step_count; ++k) {
    const StepKernel& rule = kernels.steps[k];
    for (const auto& [rows, columns] : kShapes) {
      RunRule<float>(rule, Dtype::kFloat32, 4, rows, columns);
      RunRule<double>(rule, Dtype::kFloat64, 8, rows, columns);
      RunRule<float>(rule, Dtype::kFloat16, 2, rows, columns);
      RunRule<float>(rule, Dtype::kBfloat16, 2, rows, columns);
    }
  }
}

}  // namespace tensorkv::test
