#pragma once

#include <cstddef>
#include <string>

#include "driver.h"

// The functions of NCCL that tensorkv calls, without "nccl": name, result, arguments. nccl_check.cc
// compares them with nccl.h where there is one.
//
// NOLINTBEGIN(bugprone-macro-parentheses): lists of types stand in none.
#define TENSORKV_NCCL_FUNCTIONS(Each)                                                  \
  Each(GetVersion, NcclResult, (int*)) Each(GetErrorString, const char*, (NcclResult)) \
      Each(CommInitAll, NcclResult, (ncclComm**, int, const int*))                     \
          Each(CommAbort, NcclResult, (ncclComm*)) Each(GroupStart, NcclResult, ())    \
              Each(GroupEnd, NcclResult, ())                                           \
                  Each(Broadcast, NcclResult,                                          \
                       (const void*, void*, size_t, int, int, ncclComm*, CUstream_st*))
// NOLINTEND(bugprone-macro-parentheses)

// The handle of NCCL, by the name that nccl.h gives it.
struct ncclComm;

namespace tensorkv::cuda {

using NcclResult = int;

constexpr NcclResult kNcclSuccess = 0;
// The dtype of bytes.
constexpr int kNcclUint8 = 1;

// The functions of an opened NCCL.
struct Nccl {
// NOLINTBEGIN(bugprone-macro-parentheses): names and types of arguments stand in none.
#define TENSORKV_NCCL_DECLARE(Name, Returned, arguments) Returned(*Name) arguments = nullptr;
  TENSORKV_NCCL_FUNCTIONS(TENSORKV_NCCL_DECLARE)
#undef TENSORKV_NCCL_DECLARE
  // NOLINTEND(bugprone-macro-parentheses)
  std::string version;  // such as "2.27.3"
};

// Opens libnccl.so.2, or the file that TENSORKV_NCCL names. Otherwise says why not, in one sentence
// without its full stop.
std::string OpenNccl(const Driver& driver, Nccl* nccl);

}  // namespace tensorkv::cuda
