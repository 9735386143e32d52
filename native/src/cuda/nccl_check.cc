// Compiled where there is an nccl.h, and never linked: the declarations of nccl_functions.h are
// those of NCCL.
#include <nccl.h>

#include "nccl_functions.h"
#include "same_type.h"

namespace tensorkv::cuda {
namespace {

#define TENSORKV_NCCL_CHECK(Name, Returned, arguments) \
  static_assert(Same<Returned(*) arguments, decltype(&nccl##Name)>::value, #Name);
TENSORKV_NCCL_FUNCTIONS(TENSORKV_NCCL_CHECK)
#undef TENSORKV_NCCL_CHECK

static_assert(kNcclSuccess == ncclSuccess && kNcclUint8 == ncclUint8);

}  // namespace
}  // namespace tensorkv::cuda
