#pragma once

// The functions of the CUDA driver that tensorkv calls, without "cu": name, the CUDA version since
// which it has these arguments, the arguments. `Optional` ones may be absent. driver_check.cc
// compares them with cuda.h where there is one.
// clang-format off: it knows no tables.
// NOLINTBEGIN(bugprone-macro-parentheses): lists of types stand in none.
#define TENSORKV_CUDA_FUNCTIONS(Each, Optional)                                                    \
  Each(Init, 2000, (unsigned))                                                                     \
  Each(DriverGetVersion, 2020, (int*))                                                             \
  Each(GetErrorName, 6000, (Result, const char**))                                                 \
  Each(DeviceGetCount, 2000, (int*))                                                               \
  Each(DeviceGet, 2000, (int*, int))                                                               \
  Each(DeviceGetName, 2000, (char*, int, int))                                                     \
  Each(DeviceGetUuid, 9020, (Uuid*, int))                                                          \
  Each(DeviceGetAttribute, 2000, (int*, int, int))                                                 \
  Each(DeviceTotalMem, 3020, (size_t*, int))                                                       \
  Each(DeviceCanAccessPeer, 4000, (int*, int, int))                                                \
  Each(DevicePrimaryCtxRetain, 7000, (CUctx_st**, int))                                            \
  Each(CtxPushCurrent, 4000, (CUctx_st*))                                                          \
  Each(CtxPopCurrent, 4000, (CUctx_st**))                                                          \
  Each(CtxEnablePeerAccess, 4000, (CUctx_st*, unsigned))                                           \
  Each(StreamCreate, 2000, (CUstream_st**, unsigned))                                              \
  Each(StreamDestroy, 4000, (CUstream_st*))                                                        \
  Each(StreamWaitEvent, 3020, (CUstream_st*, CUevent_st*, unsigned))                               \
  Each(StreamAddCallback, 5000, (CUstream_st*, StreamCallback*, void*, unsigned))                  \
  Each(EventCreate, 2000, (CUevent_st**, unsigned))                                                \
  Each(EventDestroy, 4000, (CUevent_st*))                                                          \
  Each(EventRecord, 2000, (CUevent_st*, CUstream_st*))                                             \
  Each(EventQuery, 2000, (CUevent_st*))                                                            \
  Each(EventSynchronize, 2000, (CUevent_st*))                                                      \
  Each(MemGetInfo, 3020, (size_t*, size_t*))                                                       \
  Each(MemAlloc, 3020, (Address*, size_t))                                                         \
  Each(MemFree, 3020, (Address))                                                                   \
  Each(MemHostAlloc, 2020, (void**, size_t, unsigned))                                             \
  Each(MemFreeHost, 2000, (void*))                                                                 \
  Each(MemcpyHtoDAsync, 3020, (Address, const void*, size_t, CUstream_st*))                        \
  Each(MemcpyDtoHAsync, 3020, (void*, Address, size_t, CUstream_st*))                              \
  Each(MemcpyDtoDAsync, 3020, (Address, Address, size_t, CUstream_st*))                            \
  Each(MemcpyPeerAsync, 4000, (Address, CUctx_st*, Address, CUctx_st*, size_t, CUstream_st*))      \
  Each(MemsetD8Async, 3020, (Address, unsigned char, size_t, CUstream_st*))                        \
  Each(ModuleLoadData, 2000, (CUmod_st**, const void*))                                            \
  Each(ModuleGetFunction, 2000, (CUfunc_st**, CUmod_st*, const char*))                             \
  Each(FuncSetAttribute, 9000, (CUfunc_st*, int, int))                                             \
  Each(LaunchKernel, 4000, (CUfunc_st*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,\
                            unsigned, CUstream_st*, void**, void**))                               \
  Each(IpcGetMemHandle, 4010, (IpcHandle*, Address))                                               \
  Each(IpcOpenMemHandle, 11000, (Address*, IpcHandle, unsigned))                                   \
  Each(IpcCloseMemHandle, 4010, (Address))                                                         \
  Optional(MemAllocAsync, 11020, (Address*, size_t, CUstream_st*))                                 \
  Optional(MemFreeAsync, 11020, (Address, CUstream_st*))                                           \
  Optional(DeviceGetDefaultMemPool, 11020, (CUmemPoolHandle_st**, int))                            \
  Optional(MemPoolSetAttribute, 11020, (CUmemPoolHandle_st*, int, void*))                          \
  Optional(MemPoolSetAccess, 11020, (CUmemPoolHandle_st*, const PoolAccess*, size_t))              \
  Optional(MemPoolTrimTo, 11020, (CUmemPoolHandle_st*, size_t))                                    \
  Optional(MemGetAddressRange, 3020, (Address*, size_t*, Address))                                 \
  Optional(FuncGetParamInfo, 12040, (CUfunc_st*, size_t, size_t*, size_t*))
// NOLINTEND(bugprone-macro-parentheses)
// clang-format on
