#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "stand_in.h"

namespace tensorkv::cuda::stand_in {
namespace {

thread_local std::vector<CUctx_st*> contexts;

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

State* MakeState() {
  auto* const state = new State();
  const size_t devices = Setting("TENSORKV_STAND_IN_DEVICES", 2);
  for (size_t k = 0; k < devices; ++k) {
    state->contexts.push_back(std::make_unique<CUctx_st>());
    state->contexts.back()->device = static_cast<int>(k);
    state->pools.push_back(std::make_unique<CUmemPoolHandle_st>(static_cast<int>(k)));
  }
  state->used.resize(devices);
  state->has_pools = Setting("TENSORKV_STAND_IN_POOLS", 1) != 0;
  state->version = static_cast<int>(Setting("TENSORKV_STAND_IN_VERSION", 13000));
  const char* list = std::getenv("TENSORKV_STAND_IN_CAPABILITIES");
  for (size_t k = 0; k < devices; ++k) {
    char* end = nullptr;
    const long given = list == nullptr ? 0 : std::strtol(list, &end, 10);
    state->capabilities.push_back(given == 0 ? 90 : static_cast<int>(given));
    if (end != nullptr) list = *end == ',' ? end + 1 : end;
  }
  state->limit = Setting("TENSORKV_STAND_IN_BYTES", size_t{1} << 30);
  state->seed = Setting("TENSORKV_STAND_IN_SEED", 1);
  state->delay_us = static_cast<unsigned>(Setting("TENSORKV_STAND_IN_DELAY", 200));
  return state;
}

bool IsDevice(int device) {
  return device >= 0 && static_cast<size_t>(device) < State::Get().contexts.size();
}

Result Init(unsigned) {
  STAND_IN_BEGIN("cuInit");
  static std::once_flag once;
  std::call_once(once, [] { AddFaults(std::getenv("TENSORKV_STAND_IN_FAIL")); });
  return State::Get().contexts.empty() ? kNoDevice : kSuccess;
}

Result DriverGetVersion(int* version) {
  *version = State::Get().version;
  return kSuccess;
}

Result GetErrorName(Result result, const char** name) {
  switch (result) {
    case kOutOfMemory:
      *name = "CUDA_ERROR_OUT_OF_MEMORY";
      return kSuccess;
    case 700:
      *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
      return kSuccess;
    case kInvalidValue:
      *name = "CUDA_ERROR_INVALID_VALUE";
      return kSuccess;
    default:
      *name = nullptr;
      return kInvalidValue;
  }
}

Result DeviceGetCount(int* count) {
  STAND_IN_BEGIN("cuDeviceGetCount");
  *count = static_cast<int>(State::Get().contexts.size());
  return kSuccess;
}

Result DeviceGet(int* device, int ordinal) {
  if (!IsDevice(ordinal)) return 101;
  *device = ordinal;
  return kSuccess;
}

Result DeviceGetName(char* name, int room, int device) {
  if (!IsDevice(device)) return 101;
  const std::string text = "stand-in " + std::to_string(device);
  std::strncpy(name, text.c_str(), static_cast<size_t>(room));
  return kSuccess;
}

Result DeviceGetUuid(Uuid* uuid, int device) {
  std::memset(uuid->bytes, device, sizeof(uuid->bytes));
  return kSuccess;
}

Result DeviceGetAttribute(int* value, int attribute, int device) {
  if (!IsDevice(device)) return 101;
  const State& state = State::Get();
  const int capability = state.capabilities[static_cast<size_t>(device)];
  const std::map<int, int> known = {{kProcessorCount, 4},
                                    {kCapabilityMajor, capability / 10},
                                    {kCapabilityMinor, capability % 10},
                                    {kMemoryPoolsSupported, state.has_pools ? 1 : 0}};
  const auto found = known.find(attribute);
  if (found == known.end()) return kInvalidValue;
  *value = found->second;
  return kSuccess;
}

Result DeviceTotalMem(size_t* bytes, int) {
  *bytes = State::Get().limit;
  return kSuccess;
}

Result DeviceCanAccessPeer(int* can, int a, int b) {
  *can = a != b ? 1 : 0;
  return kSuccess;
}

Result DevicePrimaryCtxRetain(CUctx_st** context, int device) {
  STAND_IN_BEGIN("cuDevicePrimaryCtxRetain");
  if (!IsDevice(device)) return 101;
  *context = State::Get().contexts[static_cast<size_t>(device)].get();
  return kSuccess;
}

Result CtxPushCurrent(CUctx_st* context) {
  STAND_IN_BEGIN("cuCtxPushCurrent");
  contexts.push_back(context);
  return kSuccess;
}

Result CtxPopCurrent(CUctx_st** context) {
  if (contexts.empty()) std::abort();  // It was not pushed.
  *context = contexts.back();
  contexts.pop_back();
  return kSuccess;
}

Result CtxEnablePeerAccess(CUctx_st*, unsigned) { return ContextResult(); }

}  // namespace

State& State::Get() {
  static State* const state = MakeState();
  return *state;
}

CUctx_st* CurrentContext() { return contexts.empty() ? nullptr : contexts.back(); }

Result ContextResult() {
  CUctx_st* const context = CurrentContext();
  return context == nullptr ? kInvalidContext : context->lost.load();
}

Result Injected(const char* function) {
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  Result code = kSuccess;
  for (State::Fault& fault : state.faults) {
    if (fault.function == function && fault.left > 0 && --fault.left == 0) code = fault.code;
  }
  return code;
}

void AddFaults(const char* list) {
  if (list == nullptr) return;
  State& state = State::Get();
  const std::lock_guard lock(state.mutex);
  const std::string text = list;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string each = text.substr(at, end - at);
    const size_t first = each.find(':'), second = each.rfind(':');
    if (first != std::string::npos && second > first) {
      state.faults.push_back({each.substr(0, first), std::atoi(each.c_str() + first + 1),
                              std::atoi(each.c_str() + second + 1)});
    }
    at = end + 1;
  }
}

void AddDevices(Driver* driver) {
  driver->Init = Init;
  driver->DriverGetVersion = DriverGetVersion;
  driver->GetErrorName = GetErrorName;
  driver->DeviceGetCount = DeviceGetCount;
  driver->DeviceGet = DeviceGet;
  driver->DeviceGetName = DeviceGetName;
  driver->DeviceGetUuid = DeviceGetUuid;
  driver->DeviceGetAttribute = DeviceGetAttribute;
  driver->DeviceTotalMem = DeviceTotalMem;
  driver->DeviceCanAccessPeer = DeviceCanAccessPeer;
  driver->DevicePrimaryCtxRetain = DevicePrimaryCtxRetain;
  driver->CtxPushCurrent = CtxPushCurrent;
  driver->CtxPopCurrent = CtxPopCurrent;
  driver->CtxEnablePeerAccess = CtxEnablePeerAccess;
}

}  // namespace tensorkv::cuda::stand_in
