#include "steps.h"

#include "optimizers/all.h"

namespace tensorkv::TENSORKV_LEVEL {

template <typename T>
double SquaresOfSum(const void* const* inputs, size_t count, size_t length) {
  alignas(64) Compute<T> tile[kTile];
  double sum = 0;
  for (size_t begin = 0; begin < length; begin += kTile) {
    const size_t size = length - begin < kTile ? length - begin : kTile;
    SumTile<T>(inputs, count, begin, tile, size);
    sum += SquaresOfBlock(tile, size);
  }
  return sum;
}

template double SquaresOfSum<float>(const void* const*, size_t, size_t);
template double SquaresOfSum<double>(const void* const*, size_t, size_t);
template double SquaresOfSum<Half>(const void* const*, size_t, size_t);
template double SquaresOfSum<Bfloat16>(const void* const*, size_t, size_t);

// In the order of Dtype; integers have no update rules.
// NOLINTBEGIN(bugprone-macro-parentheses): names of templates stand in none.
#define TENSORKV_STEP(name, Run, Rule, splits, slots)                                            \
  {#name,                                                                                        \
   {Run<Rule, float>, Run<Rule, double>, Run<Rule, Half>, Run<Rule, Bfloat16>, nullptr, nullptr, \
    nullptr, nullptr},                                                                           \
   splits,                                                                                       \
   slots},
#define TENSORKV_ELEMENTS(name, Rule) \
  TENSORKV_STEP(name, RunElements, Rule, true, Rule<float>::kSlots)
#define TENSORKV_PLACES(name, Rule) \
  TENSORKV_STEP(name, RunElements, Rule, false, Rule<float>::kSlots)
#define TENSORKV_TENSOR(name, Rule) TENSORKV_STEP(name, RunTensor, Rule, false, kWhole)
// NOLINTEND(bugprone-macro-parentheses)

extern const StepKernel kSteps[] = {
    TENSORKV_RULES(TENSORKV_ELEMENTS, TENSORKV_PLACES, TENSORKV_TENSOR)};
extern const size_t kStepCount = sizeof(kSteps) / sizeof(kSteps[0]);

}  // namespace tensorkv::TENSORKV_LEVEL
