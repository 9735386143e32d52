// Compiled where there is a cuda.h, and never linked: the declarations of driver_functions.h are
// those of the driver.
#include <cuda.h>

// Older headers lack some of the functions that are checked.
#if CUDA_VERSION >= 12040
#include <cudaTypedefs.h>

#include "driver.h"
#include "same_type.h"

namespace tensorkv::cuda {
namespace {

#define TENSORKV_CUDA_CHECK(Name, version, arguments) \
  static_assert(Same<Result(*) arguments, PFN_cu##Name##_v##version>::value, #Name);
TENSORKV_CUDA_FUNCTIONS(TENSORKV_CUDA_CHECK, TENSORKV_CUDA_CHECK)
#undef TENSORKV_CUDA_CHECK

static_assert(Same<StreamCallback*, CUstreamCallback>::value);
static_assert(sizeof(PoolAccess) == sizeof(CUmemAccessDesc));
static_assert(kInvalidValue == CUDA_ERROR_INVALID_VALUE &&
              kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(kNoDevice == CUDA_ERROR_NO_DEVICE && kInvalidImage == CUDA_ERROR_INVALID_IMAGE);
static_assert(kNoBinaryForGpu == CUDA_ERROR_NO_BINARY_FOR_GPU);
static_assert(kInvalidContext == CUDA_ERROR_INVALID_CONTEXT &&
              kInvalidHandle == CUDA_ERROR_INVALID_HANDLE);
static_assert(kInvalidPtx == CUDA_ERROR_INVALID_PTX);
static_assert(kUnsupportedPtxVersion == CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
static_assert(kInvalidSource == CUDA_ERROR_INVALID_SOURCE && kNotFound == CUDA_ERROR_NOT_FOUND);
static_assert(kNotReady == CUDA_ERROR_NOT_READY);
static_assert(kLaunchOutOfResources == CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
static_assert(kPeerAccessAlreadyEnabled == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
static_assert(kProcessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(kCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(kCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(kMemoryPoolsSupported == CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
static_assert(kMaxDynamicSharedBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(kPoolReleaseThreshold == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD);
static_assert(kDevicePlace == CU_MEM_LOCATION_TYPE_DEVICE);
static_assert(kReadWrite == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
static_assert(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
static_assert(kEventBlockingSync == CU_EVENT_BLOCKING_SYNC);
static_assert(kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(kHostPortable == CU_MEMHOSTALLOC_PORTABLE);
static_assert(kIpcLazyPeerAccess == CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);

}  // namespace
}  // namespace tensorkv::cuda
#endif
