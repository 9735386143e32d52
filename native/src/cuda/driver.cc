#include "driver.h"

#include <dlfcn.h>

#include "fit.h"
#include "library.h"

namespace tensorkv::cuda {
namespace {

// Of CUDA 12 and newer, and of 11.3 to 11.8.
using Find12 = Result(const char*, void**, int, uint64_t, int*);
using Find11 = Result(const char*, void**, int, uint64_t);

struct Finder {
  Find12* find12 = nullptr;
  Find11* find11 = nullptr;

  void* Find(const char* name, int version) const {
    void* found = nullptr;
    int status = 0;
    const Result result = find12 != nullptr ? find12(name, &found, version, 0, &status)
                                            : find11(name, &found, version, 0);
    return result == kSuccess ? found : nullptr;
  }
};

std::string TooOld(const Finder& finder, const char* lacking) {
  int version = 0;
  using GetVersion = Result(int*);
  auto* const get_version = reinterpret_cast<GetVersion*>(finder.Find("cuDriverGetVersion", 2020));
  if (get_version != nullptr) get_version(&version);
  return "the NVIDIA driver is too old: it is for CUDA " + VersionText(version) + " and has no " +
         lacking;
}

}  // namespace

bool IsSticky(Result result) {
  switch (result) {
    case 4:    // CUDA_ERROR_DEINITIALIZED
    case 214:  // CUDA_ERROR_ECC_UNCORRECTABLE
    case 220:  // CUDA_ERROR_NVLINK_UNCORRECTABLE
    case 226:  // CUDA_ERROR_CONTAINED
    case 700:  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 702:  // CUDA_ERROR_LAUNCH_TIMEOUT
    case 709:  // CUDA_ERROR_CONTEXT_IS_DESTROYED
    case 710:  // CUDA_ERROR_ASSERT
    case 714:  // CUDA_ERROR_HARDWARE_STACK_ERROR
    case 715:  // CUDA_ERROR_ILLEGAL_INSTRUCTION
    case 716:  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 717:  // CUDA_ERROR_INVALID_ADDRESS_SPACE
    case 718:  // CUDA_ERROR_INVALID_PC
    case 719:  // CUDA_ERROR_LAUNCH_FAILED
    case 999:  // CUDA_ERROR_UNKNOWN
      return true;
    default:
      return false;
  }
}

std::string Driver::NameOf(Result result) const {
  const char* name = nullptr;
  if (GetErrorName(result, &name) == kSuccess && name != nullptr) return name;
  return "CUDA error " + std::to_string(result);
}

std::string OpenDriver(Driver* driver) {
  const auto [library, file, error] = OpenLibrary("TENSORKV_CUDA_DRIVER", {"libcuda.so.1"});
  if (library == nullptr) return "no driver of NVIDIA was found: " + error;
  Finder finder;
  finder.find12 = reinterpret_cast<Find12*>(dlsym(library, "cuGetProcAddress_v2"));
  finder.find11 = reinterpret_cast<Find11*>(dlsym(library, "cuGetProcAddress"));
  if (finder.find12 == nullptr && finder.find11 == nullptr) {
    return "the NVIDIA driver is too old: it has no cuGetProcAddress, which came with CUDA 11.3";
  }
// NOLINTBEGIN(bugprone-macro-parentheses): types of arguments stand in none.
#define TENSORKV_CUDA_RESOLVE(Name, version, arguments) \
  driver->Name = reinterpret_cast<Result(*) arguments>(finder.Find("cu" #Name, version));
#define TENSORKV_CUDA_REQUIRE(Name, version, arguments) \
  TENSORKV_CUDA_RESOLVE(Name, version, arguments)       \
  if (driver->Name == nullptr) return TooOld(finder, "cu" #Name);
  TENSORKV_CUDA_FUNCTIONS(TENSORKV_CUDA_REQUIRE, TENSORKV_CUDA_RESOLVE)
#undef TENSORKV_CUDA_REQUIRE
#undef TENSORKV_CUDA_RESOLVE
  // NOLINTEND(bugprone-macro-parentheses)
  driver->is_stand_in = dlsym(library, "tensorkv_stand_in") != nullptr;
  const Result started = driver->Init(0);
  if (started == kNoDevice) return "no CUDA device";
  if (started != kSuccess) return "cuInit failed with " + driver->NameOf(started);
  if (driver->DriverGetVersion(&driver->version) != kSuccess) return "cuDriverGetVersion failed";
  const Result counted = driver->DeviceGetCount(&driver->device_count);
  if (counted != kSuccess) return "cuDeviceGetCount failed with " + driver->NameOf(counted);
  if (driver->device_count < 1) return "no CUDA device";
  return "";
}

}  // namespace tensorkv::cuda
