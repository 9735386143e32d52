#include "steps.h"

#include "optimizers/adabelief.h"
#include "optimizers/adadelta.h"
#include "optimizers/adafactor.h"
#include "optimizers/adagrad.h"
#include "optimizers/adam.h"
#include "optimizers/adamax.h"
#include "optimizers/adamw.h"
#include "optimizers/amsgrad.h"
#include "optimizers/dcasgd.h"
#include "optimizers/ftml.h"
#include "optimizers/ftrl.h"
#include "optimizers/groupadagrad.h"
#include "optimizers/lamb.h"
#include "optimizers/lans.h"
#include "optimizers/lars.h"
#include "optimizers/lion.h"
#include "optimizers/muon.h"
#include "optimizers/nadam.h"
#include "optimizers/nag.h"
#include "optimizers/radam.h"
#include "optimizers/rmsprop.h"
#include "optimizers/schedulefreeadamw.h"
#include "optimizers/sgd.h"
#include "optimizers/sgld.h"
#include "optimizers/signum.h"

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
  {name,                                                                                         \
   {Run<Rule, float>, Run<Rule, double>, Run<Rule, Half>, Run<Rule, Bfloat16>, nullptr, nullptr, \
    nullptr, nullptr},                                                                           \
   splits,                                                                                       \
   slots}
#define TENSORKV_ELEMENTS(name, Rule) \
  TENSORKV_STEP(name, RunElements, Rule, true, Rule<float>::kSlots)
// Elements that know their position.
#define TENSORKV_PLACES(name, Rule) \
  TENSORKV_STEP(name, RunElements, Rule, false, Rule<float>::kSlots)
#define TENSORKV_TENSOR(name, Rule) TENSORKV_STEP(name, RunTensor, Rule, false, kWhole)
// NOLINTEND(bugprone-macro-parentheses)

extern const StepKernel kSteps[] = {
    TENSORKV_ELEMENTS("adabelief", Adabelief),
    TENSORKV_ELEMENTS("adadelta", Adadelta),
    TENSORKV_TENSOR("adafactorMatrix", AdafactorMatrix),
    TENSORKV_TENSOR("adafactorVector", AdafactorVector),
    TENSORKV_ELEMENTS("adagrad", Adagrad),
    TENSORKV_ELEMENTS("adam", Adam),
    TENSORKV_ELEMENTS("adamax", Adamax),
    TENSORKV_ELEMENTS("adamw", Adamw),
    TENSORKV_ELEMENTS("amsgrad", Amsgrad),
    TENSORKV_ELEMENTS("dcasgd", Dcasgd),
    TENSORKV_ELEMENTS("ftml", Ftml),
    TENSORKV_ELEMENTS("ftrl", Ftrl),
    TENSORKV_TENSOR("groupAdagrad", GroupAdagrad),
    TENSORKV_TENSOR("lamb", Lamb),
    TENSORKV_TENSOR("lans", Lans),
    TENSORKV_TENSOR("lars", Lars),
    TENSORKV_ELEMENTS("lion", Lion),
    TENSORKV_TENSOR("muon", Muon),
    TENSORKV_ELEMENTS("nadam", Nadam),
    TENSORKV_ELEMENTS("nag", Nag),
    TENSORKV_ELEMENTS("radam", Radam),
    TENSORKV_ELEMENTS("rmspropCentered", RmspropCentered),
    TENSORKV_ELEMENTS("rmsprop", Rmsprop),
    TENSORKV_ELEMENTS("scheduleFreeAdamw", ScheduleFreeAdamw),
    TENSORKV_ELEMENTS("sgd", Sgd),
    TENSORKV_ELEMENTS("sgdMomentum", SgdMomentum),
    TENSORKV_PLACES("sgld", Sgld),
    TENSORKV_ELEMENTS("sign", Sign),
    TENSORKV_ELEMENTS("signum", Signum),
};
extern const size_t kStepCount = sizeof(kSteps) / sizeof(kSteps[0]);

}  // namespace tensorkv::TENSORKV_LEVEL
