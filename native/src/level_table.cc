#include <cstdint>

#include "cast.h"
#include "copy.h"
#include "kernels.h"
#include "level.h"
#include "reduce_sum.h"
#include "sgd_step.h"

namespace tensorkv::TENSORKV_LEVEL {

// The kernels of this level, in the order of Dtype. kernels.cc picks among the levels.
extern const KernelTable kTable;
const KernelTable kTable = {
    .reduce_sum = {ReduceSum<float>, ReduceSum<double>, ReduceSum<int32_t>},
    .sgd_step = {SgdStep<float>, SgdStep<double>, nullptr},
    .copy = Copy,
    .cast = {{Cast<float, float>, Cast<float, double>, Cast<float, int32_t>},
             {Cast<double, float>, Cast<double, double>, Cast<double, int32_t>},
             {Cast<int32_t, float>, Cast<int32_t, double>, Cast<int32_t, int32_t>}},
};

}  // namespace tensorkv::TENSORKV_LEVEL
