#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "stand_in.h"

namespace tensorkv::cuda::stand_in {
namespace {

constexpr size_t kAlignment = 256;
constexpr int kFresh = 0xcd, kFreed = 0xdd;

void* HostOf(Address address) { return reinterpret_cast<void*>(address); }

Result Allocate(Address* address, size_t bytes, CUctx_st* context, bool is_pooled) {
  if (bytes == 0) return kInvalidValue;
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  size_t& used = state.used[static_cast<size_t>(context->device)];
  if (bytes > state.limit - used) return kOutOfMemory;
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes) != 0) return kOutOfMemory;
  std::memset(memory, kFresh, bytes);
  used += bytes;
  *address = reinterpret_cast<Address>(memory);
  state.memory[*address] = {bytes, context->device, is_pooled};
  return kSuccess;
}

Result MemGetInfo(size_t* free, size_t* total) {
  if (const Result result = ContextResult(); result != kSuccess) return result;
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  *total = state.limit;
  *free = state.limit - state.used[static_cast<size_t>(CurrentContext()->device)];
  return kSuccess;
}

Result MemAlloc(Address* address, size_t bytes) {
  STAND_IN_BEGIN("cuMemAlloc");
  MayWaitForDevices("cuMemAlloc");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  return Allocate(address, bytes, CurrentContext(), false);
}

Result MemFree(Address address) {
  MayWaitForDevices("cuMemFree");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  if (!IsDeviceMemory(address, 1)) return kInvalidValue;
  FreeGate().Set(true);
  // As the real one: nobody who holds a lock may call it.
  WaitForContext(CurrentContext());
  FreeNow(address);
  return kSuccess;
}

Result MemAllocAsync(Address* address, size_t bytes, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemAllocAsync");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  if (stream->context->lost != 0) return stream->context->lost;
  return Allocate(address, bytes, stream->context, true);
}

Result MemFreeAsync(Address address, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemFreeAsync");
  if (stream->context->lost != 0) return stream->context->lost;
  if (!IsDeviceMemory(address, 1)) return kInvalidValue;
  Enqueue(stream, [address] { FreeNow(address); });
  return kSuccess;
}

Result DeviceGetDefaultMemPool(CUmemPoolHandle_st** pool, int device) {
  *pool = State::Get().pools[static_cast<size_t>(device)].get();
  return kSuccess;
}

Result MemPoolSetAttribute(CUmemPoolHandle_st*, int, void*) { return kSuccess; }
Result MemPoolSetAccess(CUmemPoolHandle_st*, const PoolAccess*, size_t) { return kSuccess; }
Result MemPoolTrimTo(CUmemPoolHandle_st*, size_t) { return kSuccess; }

Result MemHostAlloc(void** data, size_t bytes, unsigned flags) {
  STAND_IN_BEGIN("cuMemHostAlloc");
  MayWaitForDevices("cuMemHostAlloc");
  if (CurrentContext() == nullptr) return kInvalidContext;
  if (flags != kHostPortable) return kInvalidValue;
  *data = std::malloc(bytes);
  if (*data == nullptr) return kOutOfMemory;
  std::memset(*data, kFresh, bytes);
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  state.pinned[static_cast<char*>(*data)] = bytes;
  return kSuccess;
}

Result MemFreeHost(void* data) {
  MayWaitForDevices("cuMemFreeHost");
  State& state = State::Get();
  {
    const std::lock_guard lock(state.mutex);
    if (state.pinned.erase(static_cast<char*>(data)) == 0) return kInvalidValue;
  }
  std::free(data);
  return kSuccess;
}

Result MemcpyHtoDAsync(Address to, const void* from, size_t bytes, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemcpyHtoDAsync");
  if (stream->context->lost != 0) return stream->context->lost;
  if (!IsDeviceMemory(to, bytes) || !IsPinned(from, bytes)) return kInvalidValue;
  Enqueue(stream, [=] { std::memcpy(HostOf(to), from, bytes); });
  return kSuccess;
}

Result MemcpyDtoHAsync(void* to, Address from, size_t bytes, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemcpyDtoHAsync");
  if (stream->context->lost != 0) return stream->context->lost;
  if (!IsDeviceMemory(from, bytes) || !IsPinned(to, bytes)) return kInvalidValue;
  Enqueue(stream, [=] { std::memcpy(to, HostOf(from), bytes); });
  return kSuccess;
}

Result CopyOnDevice(Address to, Address from, size_t bytes, CUstream_st* stream) {
  if (stream->context->lost != 0) return stream->context->lost;
  if (!IsDeviceMemory(to, bytes) || !IsDeviceMemory(from, bytes)) return kInvalidValue;
  Enqueue(stream, [=] { std::memcpy(HostOf(to), HostOf(from), bytes); });
  return kSuccess;
}

Result MemcpyDtoDAsync(Address to, Address from, size_t bytes, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemcpyDtoDAsync");
  return CopyOnDevice(to, from, bytes, stream);
}

Result MemcpyPeerAsync(Address to, CUctx_st*, Address from, CUctx_st* from_context, size_t bytes,
                       CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemcpyPeerAsync");
  if (from_context->lost != 0) return from_context->lost;
  return CopyOnDevice(to, from, bytes, stream);
}

Result MemsetD8Async(Address to, unsigned char value, size_t bytes, CUstream_st* stream) {
  STAND_IN_BEGIN("cuMemsetD8Async");
  if (stream->context->lost != 0) return stream->context->lost;
  if (!IsDeviceMemory(to, bytes)) return kInvalidValue;
  Enqueue(stream, [=] { std::memset(HostOf(to), value, bytes); });
  return kSuccess;
}

Result MemGetAddressRange(Address* base, size_t* bytes, Address address) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  auto found = state.memory.upper_bound(address);
  if (found == state.memory.begin()) return kInvalidValue;
  --found;
  *base = found->first;
  *bytes = found->second.bytes;
  return kSuccess;
}

// Unlike the real driver's, a handle can be opened by the process that made it: there is no other
// here.
struct Handle {
  pid_t process;
  Address address;
};

Result IpcGetMemHandle(IpcHandle* handle, Address address) {
  STAND_IN_BEGIN("cuIpcGetMemHandle");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  const auto found = state.memory.find(address);
  if (found == state.memory.end() || found->second.is_pooled) return kInvalidValue;
  const Handle made = {getpid(), address};
  std::memcpy(handle->bytes, &made, sizeof(made));
  return kSuccess;
}

Result IpcOpenMemHandle(Address* address, IpcHandle handle, unsigned) {
  STAND_IN_BEGIN("cuIpcOpenMemHandle");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  Handle made = {};
  std::memcpy(&made, handle.bytes, sizeof(made));
  if (made.process != getpid() || !IsDeviceMemory(made.address, 1)) return kInvalidValue;
  *address = made.address;
  return kSuccess;
}

Result IpcCloseMemHandle(Address) { return kSuccess; }

}  // namespace

bool IsDeviceMemory(Address address, size_t bytes) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  auto found = state.memory.upper_bound(address);
  if (found == state.memory.begin()) return false;
  --found;
  const size_t offset = address - found->first;
  return offset <= found->second.bytes && bytes <= found->second.bytes - offset;
}

int DeviceOf(Address address) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  auto found = state.memory.upper_bound(address);
  return found == state.memory.begin() ? -1 : std::prev(found)->second.device;
}

bool IsPinned(const void* data, size_t bytes) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  auto found = state.pinned.upper_bound(static_cast<const char*>(data));
  if (found == state.pinned.begin()) return false;
  --found;
  const auto offset = static_cast<size_t>(static_cast<const char*>(data) - found->first);
  return offset <= found->second && bytes <= found->second - offset;
}

void FreeNow(Address address) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  const auto found = state.memory.find(address);
  if (found == state.memory.end()) std::abort();  // Freed twice.
  std::memset(HostOf(address), kFreed, found->second.bytes);
  state.used[static_cast<size_t>(found->second.device)] -= found->second.bytes;
  state.memory.erase(found);
  std::free(HostOf(address));
}

void AddMemory(Driver* driver) {
  driver->MemGetInfo = MemGetInfo;
  driver->MemAlloc = MemAlloc;
  driver->MemFree = MemFree;
  driver->MemAllocAsync = MemAllocAsync;
  driver->MemFreeAsync = MemFreeAsync;
  driver->DeviceGetDefaultMemPool = DeviceGetDefaultMemPool;
  driver->MemPoolSetAttribute = MemPoolSetAttribute;
  driver->MemPoolSetAccess = MemPoolSetAccess;
  driver->MemPoolTrimTo = MemPoolTrimTo;
  driver->MemHostAlloc = MemHostAlloc;
  driver->MemFreeHost = MemFreeHost;
  driver->MemcpyHtoDAsync = MemcpyHtoDAsync;
  driver->MemcpyDtoHAsync = MemcpyDtoHAsync;
  driver->MemcpyDtoDAsync = MemcpyDtoDAsync;
  driver->MemcpyPeerAsync = MemcpyPeerAsync;
  driver->MemsetD8Async = MemsetD8Async;
  driver->MemGetAddressRange = MemGetAddressRange;
  driver->IpcGetMemHandle = IpcGetMemHandle;
  driver->IpcOpenMemHandle = IpcOpenMemHandle;
  driver->IpcCloseMemHandle = IpcCloseMemHandle;
}

}  // namespace tensorkv::cuda::stand_in
