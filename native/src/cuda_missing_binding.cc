// What JavaScript sees of CUDA where there is none.
#ifndef TENSORKV_CUDA
#include "binding.h"

namespace tensorkv::binding {
namespace {

constexpr char kReason[] = "this build has no CUDA: that is for Linux on x86-64 and arm64";

Napi::Value MissingReason(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), kReason);
}

Napi::Value Missing(const Napi::CallbackInfo& info) {
  Napi::Error error = Napi::Error::New(info.Env(), kReason);
  error.Set("code", Napi::String::New(info.Env(), "cuda_unavailable"));
  throw error;
}

}  // namespace

void AddCuda(Napi::Env env, Napi::Object exports) {
  Napi::Object functions = Napi::Object::New(env);
  functions["missingReason"] = Napi::Function::New(env, MissingReason, "missingReason");
  for (const char* const name :
       {"driverVersion", "deviceCount", "deviceInfo",  "ncclInfo", "broadcast",
        "allocate",      "retain",      "release",     "watch",    "forget",
        "collected",     "arrayInfo",   "upload",      "download", "downloadAsync",
        "copy",          "whenReady",   "synchronize", "run",      "exportHandle",
        "importHandle",  "loadModule",  "compile",     "kernel",   "launch"}) {
    functions[name] = Napi::Function::New(env, Missing, name);
  }
  exports["cuda"] = functions;
}

}  // namespace tensorkv::binding
#endif
