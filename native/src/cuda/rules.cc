#include "rules.h"

#include "../optimizers/list.h"

namespace tensorkv::cuda {
namespace {

struct Entry {
  Rule rule;
  const char* kernels[4];  // by dtype
};

#define TENSORKV_ENTRY(name, kind)                                        \
  {Rule::kind,                                                            \
   {"tensorkv_step_" #name "_float32", "tensorkv_step_" #name "_float64", \
    "tensorkv_step_" #name "_float16", "tensorkv_step_" #name "_bfloat16"}},
#define TENSORKV_ELEMENTS(name, Rule) TENSORKV_ENTRY(name, kElements)
#define TENSORKV_TENSOR(name, Rule) TENSORKV_ENTRY(name, k##Rule)
constexpr Entry kRules[] = {TENSORKV_RULES(TENSORKV_ELEMENTS, TENSORKV_ELEMENTS, TENSORKV_TENSOR)};

}  // namespace

Rule RuleOf(size_t rule) { return kRules[rule].rule; }
const char* StepKernelOf(size_t rule, Dtype dtype) {
  return kRules[rule].kernels[static_cast<size_t>(dtype)];
}

}  // namespace tensorkv::cuda
