#include <algorithm>

#include "fatbin.h"
#include "fit.h"
#include "runtime.h"
#include "runtime_state.h"

namespace tensorkv::cuda {

Process& Process::Get() {
  static Process* const process = new Process();
  return *process;
}

const std::string& Process::missing_reason() {
  std::call_once(opened_, [this] { missing_reason_ = OpenAll(); });
  return missing_reason_;
}

// Gives the reason.
std::string Process::OpenAll() {
  std::string reason = OpenDriver(&driver_);
  if (!reason.empty()) return reason;
  devices_.resize(static_cast<size_t>(driver_.device_count));
  unfit_.resize(devices_.size());
  const Targets targets = TargetsOfFatbin();
  if (targets.toolkit == 0) {
    if (driver_.is_stand_in) return "";
    return "this build has no CUDA kernels: nvcc was not found, or failed, when it was built";
  }
  for (int number = 0; number < driver_.device_count; ++number) {
    int handle = 0, major = 0, minor = 0;
    const bool is_known =
        driver_.DeviceGet(&handle, number) == kSuccess &&
        driver_.DeviceGetAttribute(&major, kCapabilityMajor, handle) == kSuccess &&
        driver_.DeviceGetAttribute(&minor, kCapabilityMinor, handle) == kSuccess;
    if (!is_known) continue;  // Its first use says what is wrong with it.
    unfit_[static_cast<size_t>(number)] =
        UnfitReason(targets, driver_.version, number, 10 * major + minor);
  }
  const bool is_any_fit = std::ranges::any_of(unfit_, &std::string::empty);
  return is_any_fit ? "" : unfit_.front();
}

const std::string& Process::UnfitReasonOf(int number) const {
  RequireDevice(number);
  return unfit_[static_cast<size_t>(number)];
}

void Process::RequireDevice(int number) const {
  if (number >= 0 && number < driver_.device_count) return;
  throw Failure(FailureCode::kBadArgument, "Expected a CUDA device below " +
                                               std::to_string(driver_.device_count) + ", not " +
                                               std::to_string(number));
}

void Process::RequireDriver() {
  const std::string& reason = missing_reason();
  if (!reason.empty()) throw Failure(FailureCode::kUnavailable, reason);
}

Device& Process::Open(int number) {
  RequireDevice(number);
  std::unique_ptr<Device>& place = devices_[static_cast<size_t>(number)];
  if (place != nullptr) {
    RequireAlive(*place);
    return *place;
  }
  auto device = std::make_unique<Device>();
  device->number = number;
  Check(*device, driver_.DeviceGet(&device->handle, number), "cuDeviceGet");
  Check(*device, driver_.DevicePrimaryCtxRetain(&device->context, device->handle),
        "cuDevicePrimaryCtxRetain");
  const Current current(driver_, *device);
  OpenPool(*device);
  device->releases = MakeStream(*device);
  OpenPeers(*device);
  place = std::move(device);
  return *place;
}

// Freed memory stays in the pool: to get it from the system again takes a millisecond.
void Process::OpenPool(Device& device) const {
  int has_pools = 0;
  const bool knows = driver_.MemAllocAsync != nullptr && driver_.MemFreeAsync != nullptr &&
                     driver_.DeviceGetDefaultMemPool != nullptr &&
                     driver_.MemPoolSetAttribute != nullptr && driver_.MemPoolTrimTo != nullptr;
  if (!knows) return;
  if (driver_.DeviceGetAttribute(&has_pools, kMemoryPoolsSupported, device.handle) != kSuccess ||
      has_pools == 0) {
    return;
  }
  CUmemPoolHandle_st* pool = nullptr;
  if (driver_.DeviceGetDefaultMemPool(&pool, device.handle) != kSuccess) return;
  uint64_t most = UINT64_MAX;
  if (driver_.MemPoolSetAttribute(pool, kPoolReleaseThreshold, &most) != kSuccess) return;
  device.pool = pool;
}

// Devices that can, copy from each other without the host. Where this fails, copies are staged by
// the driver, only slower.
void Process::OpenPeers(Device& device) {
  const auto allow = [this](Device& who, Device& whose) {
    int can = 0;
    if (driver_.DeviceCanAccessPeer(&can, who.handle, whose.handle) != kSuccess || can == 0) return;
    bool is_open = false;
    try {
      const Current current(driver_, who);
      const Result allowed = driver_.CtxEnablePeerAccess(whose.context, 0);
      is_open = allowed == kSuccess || allowed == kPeerAccessAlreadyEnabled;
    } catch (const Failure&) {
      return;
    }
    if (whose.pool != nullptr) {
      const PoolAccess access = {kDevicePlace, who.handle, kReadWrite};
      const bool has_pool = driver_.MemPoolSetAccess != nullptr &&
                            driver_.MemPoolSetAccess(whose.pool, &access, 1) == kSuccess;
      is_open = is_open && has_pool;
    }
    if (!is_open) whose.closed_to.insert(who.number);
  };
  for (const std::unique_ptr<Device>& other : devices_) {
    if (other == nullptr || !LostReason(*other).empty()) continue;
    allow(device, *other);
    allow(*other, device);
  }
}

std::shared_ptr<Allocation> Process::Find(uint64_t id) const {
  const auto found = allocations.find(id);
  return found == allocations.end() ? nullptr : found->second;
}

Current::Current(const Driver& driver, Device& device) : driver_(driver) {
  Check(device, driver_.CtxPushCurrent(device.context), "cuCtxPushCurrent");
}

Current::~Current() {
  CUctx_st* popped = nullptr;
  driver_.CtxPopCurrent(&popped);
}

std::string LostReason(Device& device) {
  const std::lock_guard lock(device.fate);
  return device.lost;
}

void Lose(Device& device, const std::string& cause) {
  std::set<std::shared_ptr<Note>> notes;
  std::string why;
  {
    const std::lock_guard lock(device.fate);
    if (device.lost.empty()) {
      device.lost = "CUDA device " + std::to_string(device.number) + " is lost: " + cause;
    }
    why = device.lost;
    notes.swap(device.notes);
  }
  for (const std::shared_ptr<Note>& note : notes) note->Arrive(why);
}

void RequireAlive(Device& device) {
  const std::string reason = LostReason(device);
  if (!reason.empty()) throw Failure(FailureCode::kPeerDead, reason);
}

void Check(Device& device, Result result, const char* call) {
  if (result == kSuccess) return;
  const Driver& driver = Process::Get().driver();
  const std::string place = "CUDA device " + std::to_string(device.number);
  const std::string failed = std::string(call) + " failed with " + driver.NameOf(result);
  if (IsSticky(result)) {
    Lose(device, failed);
    RequireAlive(device);
  }
  const bool is_full = result == kOutOfMemory;
  throw Failure(is_full ? FailureCode::kMemoryLimit : FailureCode::kUnavailable,
                is_full ? "Expected more memory on " + place + ": " + failed
                        : "Expected " + place + " to work: " + failed);
}

std::string MissingReason() { return Process::Get().missing_reason(); }

std::string MissingReason(int device) {
  Process& process = Process::Get();
  const std::string& reason = process.missing_reason();
  return reason.empty() ? process.UnfitReasonOf(device) : reason;
}

int DriverVersion() {
  Process::Get().RequireDriver();
  return Process::Get().driver().version;
}

int DeviceCount() {
  Process::Get().RequireDriver();
  return Process::Get().driver().device_count;
}

DeviceInfo InfoOfDevice(int number) {
  Process& process = Process::Get();
  process.RequireDriver();
  const std::lock_guard lock(process.mutex);
  Device& device = process.Open(number);
  const Driver& driver = process.driver();
  const Current current(driver, device);
  DeviceInfo info = {};
  char name[256] = {};
  Uuid uuid = {};
  Check(device, driver.DeviceGetName(name, sizeof(name) - 1, device.handle), "cuDeviceGetName");
  Check(device, driver.DeviceGetUuid(&uuid, device.handle), "cuDeviceGetUuid");
  const auto attribute = [&](int* value, int which) {
    Check(device, driver.DeviceGetAttribute(value, which, device.handle), "cuDeviceGetAttribute");
  };
  attribute(&info.major, kCapabilityMajor);
  attribute(&info.minor, kCapabilityMinor);
  attribute(&info.processors, kProcessorCount);
  Check(device, driver.MemGetInfo(&info.free_bytes, &info.total_bytes), "cuMemGetInfo");
  info.name = name;
  constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < sizeof(uuid.bytes); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) info.uuid += '-';
    info.uuid += kDigits[uuid.bytes[i] >> 4];
    info.uuid += kDigits[uuid.bytes[i] & 15];
  }
  return info;
}

}  // namespace tensorkv::cuda
