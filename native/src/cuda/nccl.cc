#include <dlfcn.h>

#include "library.h"
#include "nccl_functions.h"

namespace tensorkv::cuda {
namespace {

// 2.9 is the first that was made for CUDA 11.3, the oldest that has what we call of the driver; and
// since then versions are numbered as `VersionOf` reads them.
constexpr int kLeastVersion = 20900;

std::string VersionOf(int version) {
  const int major = version < 10000 ? version / 1000 : version / 10000;
  const int minor = version < 10000 ? version % 1000 / 100 : version % 10000 / 100;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(version % 100);
}

}  // namespace

std::string OpenNccl(const Driver& driver, Nccl* nccl) {
  const auto [library, file, error] = OpenLibrary("TENSORKV_NCCL", {"libnccl.so.2"});
  if (library == nullptr) return error;
  if (driver.is_stand_in && dlsym(library, "tensorkv_stand_in") == nullptr) {
    return "NCCL takes no driver that only stands in for a GPU's";
  }
// NOLINTBEGIN(bugprone-macro-parentheses): types of arguments stand in none.
#define TENSORKV_NCCL_RESOLVE(Name, Returned, arguments)                              \
  nccl->Name = reinterpret_cast<Returned(*) arguments>(dlsym(library, "nccl" #Name)); \
  if (nccl->Name == nullptr) return file + " is no NCCL that will do: it has no nccl" #Name;
  TENSORKV_NCCL_FUNCTIONS(TENSORKV_NCCL_RESOLVE)
#undef TENSORKV_NCCL_RESOLVE
  // NOLINTEND(bugprone-macro-parentheses)
  int version = 0;
  if (nccl->GetVersion(&version) != kNcclSuccess) return "ncclGetVersion failed";
  nccl->version = VersionOf(version);
  if (version >= kLeastVersion) return "";
  return "NCCL is too old: it is " + nccl->version + ", and 2.9 is needed";
}

}  // namespace tensorkv::cuda
