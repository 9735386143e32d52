#include <cmath>
#include <cstring>
#include <limits>

#include "runtime.h"
#include "runtime_lane.h"
#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

constexpr size_t kMostModules = size_t{1} << 16;
constexpr size_t kMostArguments = 1024;
constexpr size_t kSharedBytes = size_t{48} << 10;
// As many bytes as kernels may have of parameters.
constexpr size_t kMostParameterBytes = size_t{32} << 10;

template <typename T>
T FieldAt(std::span<const std::byte> image, size_t offset) {
  T field = {};
  if (offset + sizeof(T) <= image.size()) std::memcpy(&field, image.data() + offset, sizeof(T));
  return field;
}

bool IsInside(std::span<const std::byte> image, uint64_t offset, uint64_t bytes) {
  return offset <= image.size() && bytes <= image.size() - offset;
}

// The driver is not told how long an image is: it has to end where it says.
bool IsWhole(std::span<const std::byte> image) {
  constexpr uint32_t kElf = 0x464c457f, kFatbin = 0xba55ed50;
  if (image.empty()) return false;
  const auto magic = FieldAt<uint32_t>(image, 0);
  if (magic == kElf) {
    const uint64_t sections = uint64_t{FieldAt<uint16_t>(image, 58)} * FieldAt<uint16_t>(image, 60);
    const uint64_t segments = uint64_t{FieldAt<uint16_t>(image, 54)} * FieldAt<uint16_t>(image, 56);
    if (image.size() < 64 || !IsInside(image, FieldAt<uint64_t>(image, 40), sections) ||
        !IsInside(image, FieldAt<uint64_t>(image, 32), segments)) {
      return false;
    }
    for (uint64_t at = 0; at < sections; at += 64) {
      const uint64_t section = FieldAt<uint64_t>(image, 40) + at;
      constexpr uint32_t kNoBits = 8;
      if (FieldAt<uint32_t>(image, section + 4) == kNoBits) continue;
      if (!IsInside(image, FieldAt<uint64_t>(image, section + 24),
                    FieldAt<uint64_t>(image, section + 32))) {
        return false;
      }
    }
    return true;
  }
  if (magic == kFatbin) {
    const auto header = FieldAt<uint16_t>(image, 6);
    return header >= 16 && IsInside(image, header, FieldAt<uint64_t>(image, 8));
  }
  // PTX is text.
  for (const std::byte each : image) {
    const auto c = static_cast<unsigned char>(each);
    if (c == 0) return &each > image.data();
    if (c < 9 || c > 126) return false;
  }
  return true;
}

bool IsImageError(Result result) {
  return result == kInvalidValue || result == kInvalidImage || result == kNoBinaryForGpu ||
         result == kInvalidPtx || result == kUnsupportedPtxVersion || result == kInvalidSource;
}

// What a caller's kernel or image has got wrong; else as `Check`.
void CheckOfCaller(Device& device, Result result, bool is_callers, const char* call) {
  if (is_callers) {
    throw Failure(FailureCode::kBadArgument,
                  std::string("Expected what the device can load and launch: ") + call +
                      " failed with " + Process::Get().driver().NameOf(result));
  }
  Check(device, result, call);
}

// The numbers of a launch as the bytes that the kernel takes.
class Arguments {
 public:
  size_t size() const { return offsets_.size(); }
  size_t size_of(size_t k) const { return sizes_[k]; }
  template <typename T>
  void Add(T value) {
    offsets_.push_back(bytes_.size());
    sizes_.push_back(sizeof(T));
    bytes_.resize(bytes_.size() + sizeof(uint64_t));
    std::memcpy(bytes_.data() + offsets_.back(), &value, sizeof(T));
  }
  // Where nobody can say how many the kernel takes, what it reads beyond is zeros.
  std::vector<void*> Pointers(bool is_checked) {
    constexpr size_t kMost = kMostParameterBytes / sizeof(uint32_t);
    static constexpr char kZeros[kMostParameterBytes] = {};
    std::vector<void*> pointers(is_checked ? size() : std::max(kMost, size()),
                                const_cast<char*>(kZeros));
    for (size_t k = 0; k < size(); ++k) pointers[k] = bytes_.data() + offsets_[k];
    return pointers;
  }

 private:
  std::vector<char> bytes_;
  std::vector<size_t> offsets_, sizes_;
};

template <typename T>
T IntegerOf(double number) {
  const bool is_one = number >= static_cast<double>(std::numeric_limits<T>::min()) &&
                      number <= static_cast<double>(std::numeric_limits<T>::max()) &&
                      number == std::floor(number);
  Expect(is_one, "Expected an integer that fits its type");
  return static_cast<T>(number);
}

size_t OffsetOf(double number) {
  Expect(number >= 0 && number <= 9007199254740991 && number == std::floor(number),
         "Expected a number that counts");
  return static_cast<size_t>(number);
}

void AddNumber(int kind, const double* words, Arguments* arguments) {
  switch (kind) {
    case 1:
      return arguments->Add(IntegerOf<int32_t>(words[1]));
    case 2:
      return arguments->Add(IntegerOf<uint32_t>(words[1]));
    case 3:
      return arguments->Add(static_cast<float>(words[1]));
    case 4:
      return arguments->Add(words[1]);
    case 5:
      return arguments->Add(static_cast<int64_t>(
          uint64_t{IntegerOf<uint32_t>(words[1])} |
          static_cast<uint64_t>(static_cast<int64_t>(IntegerOf<int32_t>(words[2]))) << 32));
    default:
      Expect(false, "Expected a kind of argument");
  }
}

struct UsedArray {
  std::shared_ptr<Allocation> allocation;
  size_t offset;
  int access;  // 1: read, 2: write, 3: both
  size_t place;
};

}  // namespace

size_t Environment::LoadModule(int number, std::span<const std::byte> image) {
  Lane& lane = LaneOn(number);
  Expect(IsWhole(image), "Expected a whole cubin, fatbin or PTX");
  // PTX ends with a zero.
  std::vector<std::byte> copy(image.begin(), image.end());
  copy.push_back(std::byte{0});
  Process& process = Process::Get();
  Device& device = lane.device();
  const std::lock_guard lock(process.mutex);
  Expect(process.modules.size() < kMostModules, "Expected fewer modules");
  const Current current(process.driver(), device);
  CUmod_st* module = nullptr;
  const Result result = process.driver().ModuleLoadData(&module, copy.data());
  CheckOfCaller(device, result, IsImageError(result), "cuModuleLoadData");
  process.modules.emplace_back(&device, module);
  return process.modules.size() - 1;
}

size_t Environment::KernelNamed(size_t module, const std::string& name) {
  Process& process = Process::Get();
  process.RequireDriver();
  const Driver& driver = process.driver();
  const std::lock_guard lock(process.mutex);
  Expect(module < process.modules.size(), "Expected a module that was loaded");
  Expect(process.kernels.size() < kMostModules * 16, "Expected fewer kernels");
  const auto [device, handle] = process.modules[module];
  RequireAlive(*device);
  const Current current(driver, *device);
  Kernel kernel = {device, nullptr, {}, driver.FuncGetParamInfo != nullptr};
  const Result result = driver.ModuleGetFunction(&kernel.function, handle, name.c_str());
  if (result == kNotFound) {
    throw Failure(FailureCode::kBadArgument,
                  "Expected a kernel of the module, not \"" + name + "\"");
  }
  Check(*device, result, "cuModuleGetFunction");
  size_t offset = 0, size = 0;
  while (kernel.has_parameters && kernel.parameters.size() < kMostArguments &&
         driver.FuncGetParamInfo(kernel.function, kernel.parameters.size(), &offset, &size) ==
             kSuccess) {
    kernel.parameters.push_back(size);
  }
  for (size_t k = 0; k < process.kernels.size(); ++k) {
    if (process.kernels[k].function == kernel.function) return k;
  }
  process.kernels.push_back(std::move(kernel));
  return process.kernels.size() - 1;
}

void Environment::Launch(size_t number, const LaunchShape& shape, std::span<const double> words) {
  Process& process = Process::Get();
  process.RequireDriver();
  Kernel kernel;
  {
    const std::lock_guard lock(process.mutex);
    Expect(number < process.kernels.size(), "Expected a kernel that was looked up");
    kernel = process.kernels[number];
  }
  Lane& lane = LaneOn(kernel.device->number);
  Expect(words.size() % 4 == 0 && words.size() / 4 <= kMostArguments,
         "Expected four numbers an argument");
  for (const unsigned each : shape.grid) Expect(each > 0, "Expected blocks");
  for (const unsigned each : shape.block) Expect(each > 0, "Expected threads");
  Arguments arguments;
  std::vector<UsedArray> arrays;
  for (size_t at = 0; at < words.size(); at += 4) {
    const int kind = IntegerOf<int>(words[at]);
    if (kind != 0) {
      AddNumber(kind, &words[at], &arguments);
      continue;
    }
    UsedArray array = {FindOne(OffsetOf(words[at + 1])), OffsetOf(words[at + 2]),
                       IntegerOf<int>(words[at + 3]), arguments.size()};
    Expect(array.allocation->device == kernel.device, "Expected arrays of the kernel's device");
    Expect(array.offset <= array.allocation->bytes, "Expected a range inside of the allocation");
    Expect(array.access >= 1 && array.access <= 3, "Expected read, write or both");
    arrays.push_back(std::move(array));
    arguments.Add(Address{0});
  }
  if (kernel.has_parameters) {
    Expect(arguments.size() == kernel.parameters.size(),
           "Expected as many arguments as the kernel takes");
    for (size_t k = 0; k < arguments.size(); ++k) {
      Expect(arguments.size_of(k) == kernel.parameters[k],
             "Expected arguments of the kernel's sizes");
    }
  }
  std::vector<void*> pointers = arguments.Pointers(kernel.has_parameters);
  const Driver& driver = process.driver();
  Device& device = lane.device();
  Issue issue(lane);
  for (const UsedArray& array : arrays) {
    const Address address = array.allocation->address + array.offset;
    std::memcpy(pointers[array.place], &address, sizeof(address));
    if ((array.access & 1) != 0) issue.Reads(*array.allocation);
    if ((array.access & 2) != 0) issue.Writes(*array.allocation);
  }
  if (shape.shared_bytes > kSharedBytes) {
    const Result allowed = driver.FuncSetAttribute(kernel.function, kMaxDynamicSharedBytes,
                                                   static_cast<int>(shape.shared_bytes));
    CheckOfCaller(device, allowed, allowed == kInvalidValue, "cuFuncSetAttribute");
  }
  const Result result = driver.LaunchKernel(
      kernel.function, shape.grid[0], shape.grid[1], shape.grid[2], shape.block[0], shape.block[1],
      shape.block[2], shape.shared_bytes, issue.stream().handle, pointers.data(), nullptr);
  CheckOfCaller(device, result, result == kInvalidValue || result == kLaunchOutOfResources,
                "cuLaunchKernel");
  issue.Finish();
}

}  // namespace tensorkv::cuda
