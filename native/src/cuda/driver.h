#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "driver_functions.h"

// The handles of the driver, by the names that cuda.h gives them.
struct CUctx_st;
struct CUevent_st;
struct CUfunc_st;
struct CUmemPoolHandle_st;
struct CUmod_st;
struct CUstream_st;

namespace tensorkv::cuda {

using Result = int;
using Address = unsigned long long;  // NOLINT(google-runtime-int): as the driver has it.
using StreamCallback = void(CUstream_st*, Result, void*);

struct Uuid {
  unsigned char bytes[16];
};
struct IpcHandle {
  unsigned char bytes[64];
};
// What a device may do with the memory of a pool of another.
struct PoolAccess {
  int kind;  // kDevicePlace
  int device;
  int access;  // kReadWrite
};

// Results, attributes and flags, as cuda.h numbers them.
constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNoDevice = 100,
                 kInvalidImage = 200, kInvalidContext = 201, kNoBinaryForGpu = 209,
                 kInvalidPtx = 218, kUnsupportedPtxVersion = 222, kInvalidSource = 300,
                 kInvalidHandle = 400, kNotFound = 500, kNotReady = 600,
                 kLaunchOutOfResources = 701, kPeerAccessAlreadyEnabled = 704;
constexpr int kProcessorCount = 16, kCapabilityMajor = 75, kCapabilityMinor = 76,
              kMemoryPoolsSupported = 115;
constexpr int kMaxDynamicSharedBytes = 8;
constexpr int kPoolReleaseThreshold = 4;
constexpr int kDevicePlace = 1, kReadWrite = 3;
constexpr unsigned kStreamNonBlocking = 1, kEventBlockingSync = 1, kEventDisableTiming = 2,
                   kHostPortable = 1, kIpcLazyPeerAccess = 1;

// Whether nothing on the device can work any more, in this process.
bool IsSticky(Result result);

// The functions of an opened driver.
struct Driver {
// NOLINTBEGIN(bugprone-macro-parentheses): names and types of arguments stand in none.
#define TENSORKV_CUDA_DECLARE(Name, version, arguments) Result(*Name) arguments = nullptr;
  TENSORKV_CUDA_FUNCTIONS(TENSORKV_CUDA_DECLARE, TENSORKV_CUDA_DECLARE)
#undef TENSORKV_CUDA_DECLARE
  // NOLINTEND(bugprone-macro-parentheses)
  int version = 0;  // such as 13000
  int device_count = 0;
  // A stand-in for tests: it knows our kernels by name and needs no image of them.
  bool is_stand_in = false;

  // Such as "CUDA_ERROR_NOT_FOUND".
  std::string NameOf(Result result) const;
};

// Opens libcuda.so.1, or the file that TENSORKV_CUDA_DRIVER names, and initialises it. Otherwise
// says why not, in one sentence without its full stop.
std::string OpenDriver(Driver* driver);

}  // namespace tensorkv::cuda
