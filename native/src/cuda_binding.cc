// What JavaScript sees of CUDA; native/cuda/addon-cuda.ts has the types and says what each call
// does.
#ifdef TENSORKV_CUDA
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "binding.h"
#include "cuda/runtime.h"
#include "cuda_thread.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

using cuda::Expect;
using cuda::Failure;

Thread& TheThread(Napi::Env env) { return *env.GetInstanceData<Thread>(); }

cuda::Environment& The(const Napi::CallbackInfo& info) {
  return TheThread(info.Env()).environment();
}

constexpr double kMostCount = 9007199254740991;

size_t CountAt(const Napi::CallbackInfo& info, size_t index, double most = kMostCount) {
  return CountOf(info.Env(), info[index], most);
}

int DeviceAt(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<int>(CountAt(info, index, 1 << 16));
}

Napi::Function FunctionAt(const Napi::CallbackInfo& info, size_t index) {
  Require(info.Env(), info[index].IsFunction(), "Expected a function");
  return info[index].As<Napi::Function>();
}

std::span<const double> NumbersAt(const Napi::CallbackInfo& info, size_t index) {
  const View view = ViewOf(info.Env(), info[index], napi_float64_array);
  return {static_cast<const double*>(view.data), view.length};
}

Napi::Value Number(Napi::Env env, double number) { return Napi::Number::New(env, number); }

Napi::Value BytesOf(Napi::Env env, const void* data, size_t size) {
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, size);
  if (size > 0) std::memcpy(bytes.Data(), data, size);
  return bytes;
}

// missingReason(device?)
Napi::Value MissingReason(const Napi::CallbackInfo& info) {
  const bool is_of_device = info.Length() > 0 && !info[0].IsUndefined();
  const std::string reason =
      is_of_device ? cuda::MissingReason(DeviceAt(info, 0)) : cuda::MissingReason();
  if (reason.empty()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), reason);
}

Napi::Value DriverVersion(const Napi::CallbackInfo& info) {
  return Number(info.Env(), cuda::DriverVersion());
}

Napi::Value DeviceCount(const Napi::CallbackInfo& info) {
  return Number(info.Env(), cuda::DeviceCount());
}

// deviceInfo(device)
Napi::Value DeviceInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int index = DeviceAt(info, 0);
  const cuda::DeviceInfo device = cuda::InfoOfDevice(index);
  const Napi::Array capability = Napi::Array::New(env);
  capability.Set(0u, Number(env, device.major));
  capability.Set(1u, Number(env, device.minor));
  Napi::Object result = Napi::Object::New(env);
  result["index"] = Number(env, index);
  result["name"] = Napi::String::New(env, device.name);
  result["capability"] = capability;
  result["processors"] = Number(env, device.processors);
  result["totalBytes"] = Number(env, static_cast<double>(device.total_bytes));
  result["freeBytes"] = Number(env, static_cast<double>(device.free_bytes));
  result["uuid"] = Napi::String::New(env, device.uuid);
  return result;
}

Napi::Value NcclInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const cuda::NcclInfo nccl = cuda::InfoOfNccl();
  Napi::Object result = Napi::Object::New(env);
  if (!nccl.version.empty()) result["version"] = Napi::String::New(env, nccl.version);
  if (!nccl.reason.empty()) result["reason"] = Napi::String::New(env, nccl.reason);
  return result;
}

// allocate(device, bytes)
Napi::Value Allocate(const Napi::CallbackInfo& info) {
  const int device = DeviceAt(info, 0);
  const size_t bytes = CountAt(info, 1);
  return Number(info.Env(), static_cast<double>(The(info).Allocate(device, bytes)));
}

// retain(id)
Napi::Value Retain(const Napi::CallbackInfo& info) {
  The(info).Retain(CountAt(info, 0));
  return info.Env().Undefined();
}

// release(id)
Napi::Value Release(const Napi::CallbackInfo& info) {
  The(info).Release(CountAt(info, 0));
  return info.Env().Undefined();
}

// watch(object)
Napi::Value Watch(const Napi::CallbackInfo& info) {
  Require(info.Env(), info[0].IsObject(), "Expected an object");
  const uint64_t number = TheThread(info.Env()).Watch(info[0].As<Napi::Object>());
  return Number(info.Env(), static_cast<double>(number));
}

// forget(number)
Napi::Value Forget(const Napi::CallbackInfo& info) {
  TheThread(info.Env()).Forget(CountAt(info, 0));
  return info.Env().Undefined();
}

// collected()
Napi::Value Collected(const Napi::CallbackInfo& info) {
  const std::vector<double> numbers = TheThread(info.Env()).Collected();
  Napi::Array list = Napi::Array::New(info.Env(), numbers.size());
  for (uint32_t k = 0; k < numbers.size(); ++k) list.Set(k, Number(info.Env(), numbers[k]));
  return list;
}

// arrayInfo(id)
Napi::Value ArrayInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const cuda::ArrayInfo array = The(info).InfoOf(CountAt(info, 0));
  Napi::Object result = Napi::Object::New(env);
  result["device"] = Number(env, array.device);
  result["bytes"] = Number(env, static_cast<double>(array.bytes));
  result["address"] = Napi::BigInt::New(env, uint64_t{array.address});
  return result;
}

// upload(source, id, byteOffset)
Napi::Value Upload(const Napi::CallbackInfo& info) {
  const View source = ViewOf(info.Env(), info[0]);
  The(info).Upload(source.data, source.bytes(), CountAt(info, 1), CountAt(info, 2));
  return info.Env().Undefined();
}

// download(id, byteOffset, out)
Napi::Value Download(const Napi::CallbackInfo& info) {
  const View out = ViewOf(info.Env(), info[2]);
  The(info).Download(CountAt(info, 0), CountAt(info, 1), out.data, out.bytes());
  return info.Env().Undefined();
}

// downloadAsync(id, byteOffset, out, done)
Napi::Value DownloadAsync(const Napi::CallbackInfo& info) {
  const View out = ViewOf(info.Env(), info[2]);
  const Napi::Function done = FunctionAt(info, 3);
  const uint64_t note = The(info).DownloadAsync(CountAt(info, 0), CountAt(info, 1), out.bytes());
  TheThread(info.Env()).Await(note, done, info[2], out.bytes());
  return info.Env().Undefined();
}

// copy(from, fromOffset, to, toOffset, bytes)
Napi::Value CopyArrays(const Napi::CallbackInfo& info) {
  The(info).Copy(CountAt(info, 0), CountAt(info, 1), CountAt(info, 2), CountAt(info, 3),
                 CountAt(info, 4));
  return info.Env().Undefined();
}

// broadcast(from, fromOffset, outs: Float64Array, bytes)
Napi::Value Broadcast(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::span<const double> words = NumbersAt(info, 2);
  Require(env, words.size() % 2 == 0, "Expected two numbers an array");
  const auto count = [&](double word) {
    const bool counts = word >= 0 && word <= kMostCount && word == std::floor(word);
    Require(env, counts, "Expected a number that counts");
    return static_cast<size_t>(word);
  };
  std::vector<cuda::Environment::Place> outs;
  for (size_t at = 0; at < words.size(); at += 2) {
    outs.push_back({count(words[at]), count(words[at + 1])});
  }
  The(info).Broadcast(CountAt(info, 0), CountAt(info, 1), outs, CountAt(info, 3));
  return env.Undefined();
}

// whenReady(id, done)
Napi::Value WhenReady(const Napi::CallbackInfo& info) {
  const Napi::Function done = FunctionAt(info, 1);
  const uint64_t note = The(info).WhenReady(CountAt(info, 0));
  TheThread(info.Env()).Await(note, done, Napi::Value(), 0);
  return info.Env().Undefined();
}

// synchronize(device)
Napi::Value Synchronize(const Napi::CallbackInfo& info) {
  The(info).Synchronize(DeviceAt(info, 0));
  return info.Env().Undefined();
}

// run(device, words: Float64Array, count)
Napi::Value Run(const Napi::CallbackInfo& info) {
  The(info).Run(DeviceAt(info, 0), NumbersAt(info, 1), CountAt(info, 2));
  return info.Env().Undefined();
}

// exportHandle(id)
Napi::Value ExportHandle(const Napi::CallbackInfo& info) {
  const cuda::IpcHandle handle = The(info).Export(CountAt(info, 0));
  return BytesOf(info.Env(), handle.bytes, sizeof(handle.bytes));
}

// importHandle(device, handle: Uint8Array, bytes)
Napi::Value ImportHandle(const Napi::CallbackInfo& info) {
  const View view = ViewOf(info.Env(), info[1], napi_uint8_array);
  cuda::IpcHandle handle = {};
  Expect(view.length == sizeof(handle.bytes), "Expected the 64 bytes of a handle");
  std::memcpy(handle.bytes, view.data, sizeof(handle.bytes));
  const uint64_t id = The(info).Import(DeviceAt(info, 0), handle, CountAt(info, 2));
  return Number(info.Env(), static_cast<double>(id));
}

// loadModule(device, image: Uint8Array)
Napi::Value LoadModule(const Napi::CallbackInfo& info) {
  const View image = ViewOf(info.Env(), info[1], napi_uint8_array);
  const size_t module = The(info).LoadModule(
      DeviceAt(info, 0), {static_cast<const std::byte*>(image.data), image.length});
  return Number(info.Env(), static_cast<double>(module));
}

std::string TextOf(Napi::Env env, const Napi::Value& value) {
  Require(env, value.IsString(), "Expected a string");
  std::string text = value.As<Napi::String>();
  Require(env, text.find('\0') == std::string::npos, "Expected a string without zeros");
  return text;
}

// compile(source, options)
Napi::Value Compile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string source = TextOf(env, info[0]);
  const Values list(env, info[1]);
  std::vector<std::string> options;
  options.reserve(list.size());
  for (size_t k = 0; k < list.size(); ++k) options.push_back(TextOf(env, {env, list[k]}));
  const std::string ptx = cuda::CompileCuda(source, options);
  return BytesOf(env, ptx.data(), ptx.size());
}

// kernel(module, name)
Napi::Value KernelNumber(const Napi::CallbackInfo& info) {
  const std::string name = TextOf(info.Env(), info[1]);
  const size_t kernel = The(info).KernelNamed(CountAt(info, 0), name);
  return Number(info.Env(), static_cast<double>(kernel));
}

std::array<unsigned, 3> SizesAt(const Napi::CallbackInfo& info, size_t index) {
  const Napi::Env env = info.Env();
  const Values list(env, info[index]);
  Require(env, list.size() == 3, "Expected three sizes");
  std::array<unsigned, 3> sizes = {};
  for (size_t k = 0; k < sizes.size(); ++k) {
    sizes[k] = static_cast<unsigned>(CountOf(env, {env, list[k]}, 2147483647));
  }
  return sizes;
}

// launch(kernel, grid, block, sharedBytes, args: Float64Array)
Napi::Value LaunchKernel(const Napi::CallbackInfo& info) {
  const cuda::Environment::LaunchShape shape = {SizesAt(info, 1), SizesAt(info, 2),
                                                static_cast<unsigned>(CountAt(info, 3, 1 << 20))};
  The(info).Launch(CountAt(info, 0), shape, NumbersAt(info, 4));
  return info.Env().Undefined();
}

using Body = Napi::Value (*)(const Napi::CallbackInfo& info);

// What fails throws an Error with a code of src/core/errors.ts.
template <Body body>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return body(info);
  } catch (const Failure& failure) {
    throw ErrorOf(info.Env(), failure.what(), failure.name());
  } catch (const Napi::TypeError& error) {
    throw ErrorOf(info.Env(), error.Message(), "bad_argument");
  } catch (const std::bad_alloc&) {
    throw ErrorOf(info.Env(), "Expected more memory of the host", "memory_limit");
  }
}

}  // namespace

void AddCuda(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Thread(env));
  Napi::Object functions = Napi::Object::New(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    functions[name] = Napi::Function::New(env, function, name);
  };
  add("missingReason", Guarded<MissingReason>);
  add("driverVersion", Guarded<DriverVersion>);
  add("deviceCount", Guarded<DeviceCount>);
  add("deviceInfo", Guarded<DeviceInfo>);
  add("ncclInfo", Guarded<NcclInfo>);
  add("allocate", Guarded<Allocate>);
  add("retain", Guarded<Retain>);
  add("release", Guarded<Release>);
  add("watch", Guarded<Watch>);
  add("forget", Guarded<Forget>);
  add("collected", Guarded<Collected>);
  add("arrayInfo", Guarded<ArrayInfo>);
  add("upload", Guarded<Upload>);
  add("download", Guarded<Download>);
  add("downloadAsync", Guarded<DownloadAsync>);
  add("copy", Guarded<CopyArrays>);
  add("broadcast", Guarded<Broadcast>);
  add("whenReady", Guarded<WhenReady>);
  add("synchronize", Guarded<Synchronize>);
  add("run", Guarded<Run>);
  add("exportHandle", Guarded<ExportHandle>);
  add("importHandle", Guarded<ImportHandle>);
  add("loadModule", Guarded<LoadModule>);
  add("compile", Guarded<Compile>);
  add("kernel", Guarded<KernelNumber>);
  add("launch", Guarded<LaunchKernel>);
  exports["cuda"] = functions;
}

}  // namespace tensorkv::binding
#endif
