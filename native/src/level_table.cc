#include <cstdint>

#include "cast.h"
#include "compression.h"
#include "copy.h"
#include "is_finite.h"
#include "kernels.h"
#include "level.h"
#include "reduce_sum.h"
#include "rows.h"
#include "steps.h"

namespace tensorkv::TENSORKV_LEVEL {

#define TENSORKV_REDUCE_SUM(T) ReduceSum<T>
#define TENSORKV_CAST_TO(T) Cast<From, T>
#define TENSORKV_IS_FINITE(T) IsFinite<T>

// The casts from one type to each, in the order of Dtype.
template <typename From>
constexpr KernelTable::Cast kCastsFrom[kDtypeCount] = {TENSORKV_DTYPES(TENSORKV_CAST_TO)};

// The kernels of this level. kernels.cc picks among the levels.
#define TENSORKV_CASTS(T)                                                  \
  {kCastsFrom<T>[0], kCastsFrom<T>[1], kCastsFrom<T>[2], kCastsFrom<T>[3], \
   kCastsFrom<T>[4], kCastsFrom<T>[5], kCastsFrom<T>[6], kCastsFrom<T>[7]}
extern const KernelTable kTable;
const KernelTable kTable = {
    .reduce_sum = {TENSORKV_DTYPES(TENSORKV_REDUCE_SUM)},
    .copy = Copy,
    .copy_piece = CopyPiece,
    .finish_streams = FinishStreams,
    .cast = {TENSORKV_DTYPES(TENSORKV_CASTS)},
    .is_finite = {TENSORKV_DTYPES(TENSORKV_IS_FINITE)},
    .squares = {SquaresOfSum<float>, SquaresOfSum<double>, SquaresOfSum<Half>,
                SquaresOfSum<Bfloat16>, nullptr, nullptr, nullptr, nullptr},
    .encode = Encode,
    .decode = Decode,
    .quantize = Quantize,
    .union_ids = UnionIds,
    .sum_rows = SumRows,
    .gather_rows = GatherRows,
    .scatter_rows = ScatterRows,
    .find_rows = FindRows,
    .steps = kSteps,
    .step_count = &kStepCount,
};

}  // namespace tensorkv::TENSORKV_LEVEL
