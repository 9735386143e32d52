// What JavaScript sees of the kernels: unwrap, check what memory depends on, call, return. Callers'
// mistakes are found in native/kernels.ts; native/addon.ts declares the types. Nothing here is
// mutable or shared between threads.
#include "binding.h"

#include <napi.h>

#include <string>

#include "huge_pages.h"
#include "kernels.h"
#include "views.h"

namespace {

using tensorkv::Cpu;
using tensorkv::Dtype;
using tensorkv::KernelTable;
using namespace tensorkv::binding;

// reduceSum(inputs, out, dtype)
void ReduceSum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Dtype dtype = DtypeOf(env, info[2]);
  const Values list(env, info[0]);
  const View out = ViewOf(env, info[1], TypeOf(dtype));
  const Addresses inputs(env, list, out.type, out.length);
  Require(env, inputs.size() > 0, "Expected an input");
  inputs.RequireApartFrom(env, out);
  Table(info).reduce_sum[static_cast<size_t>(dtype)](inputs.data(), inputs.size(), out.data,
                                                     out.length);
}

// squares(inputs, dtype)
Napi::Value Squares(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Dtype dtype = DtypeOf(env, info[1]);
  const Values list(env, info[0]);
  Require(env, list.size() > 0, "Expected an input");
  const View first = ViewOf(env, list[0]);
  const Addresses inputs(env, list, TypeOf(dtype), first.length);
  const auto kernel = Table(info).squares[static_cast<size_t>(dtype)];
  Require(env, kernel != nullptr, "Expected a floating dtype");
  return Napi::Number::New(env, kernel(inputs.data(), inputs.size(), first.length));
}

// copy(source, outs)
void Copy(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Values list(env, info[1]);
  const View source = ViewOf(env, info[0]);
  const Addresses outs(env, list, source.type, source.length);
  outs.RequireApartFrom(env, source);
  Table(info).copy(source.data, outs.data(), outs.size(), source.bytes());
}

// cast(source, out, from, to)
void Cast(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Dtype from = DtypeOf(env, info[2]), to = DtypeOf(env, info[3]);
  const View source = ViewOf(env, info[0], TypeOf(from));
  const View out = ViewOf(env, info[1], TypeOf(to));
  Require(env, source.length == out.length, "Expected typed arrays of one length");
  Require(env, from == to ? AreAligned(source, out) : AreApart(source, out),
          "Expected typed arrays that do not overlap");
  Table(info).cast[static_cast<size_t>(from)][static_cast<size_t>(to)](source.data, out.data,
                                                                       out.length);
}

// isFinite(view, dtype): a boolean
Napi::Value IsFinite(const Napi::CallbackInfo& info) {
  const Dtype dtype = DtypeOf(info.Env(), info[1]);
  const View view = ViewOf(info.Env(), info[0], TypeOf(dtype));
  const auto kernel = Table(info).is_finite[static_cast<size_t>(dtype)];
  return Napi::Boolean::New(info.Env(), kernel(view.data, view.length));
}

// externalBuffer(view): an ArrayBuffer over the bytes of a non-empty view of shared memory. It does
// not keep that memory: the caller must, until this buffer is collected.
Napi::Value ExternalBuffer(const Napi::CallbackInfo& info) {
  const View view = SharedViewOf(info.Env(), info[0]);
  Require(info.Env(), view.bytes() > 0, "Expected a typed array with elements");
  return Napi::ArrayBuffer::New(info.Env(), view.data, view.bytes());
}

// useHugePages(view, bytes): where the first huge page of an untouched view starts. They are asked
// for under `bytes` bytes from there on.
Napi::Value UseHugePages(const Napi::CallbackInfo& info) {
  const View view = ViewOf(info.Env(), info[0]);
  const auto bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  const size_t room = view.length * BytesPerElement(view.type);
  return Napi::Number::New(info.Env(),
                           static_cast<double>(tensorkv::UseHugePages(view.data, room, bytes)));
}

// forCpu(name): the kernels compiled for it, or undefined where this machine cannot run them.
Napi::Value ForCpu(const Napi::CallbackInfo& info) {
  Require(info.Env(), info[0].IsString(), "Expected the name of an instruction set");
  const std::string name = info[0].As<Napi::String>();
  for (const Cpu cpu : tensorkv::kCpus) {
    const KernelTable* const found = tensorkv::KernelsFor(cpu);
    if (found == nullptr || name != tensorkv::NameOf(cpu)) continue;
    // The table is constant; Node-API just has no pointer to const.
    void* const table = const_cast<KernelTable*>(found);
    Napi::Object kernels = Napi::Object::New(info.Env());
    kernels["reduceSum"] = Napi::Function::New<ReduceSum>(info.Env(), "reduceSum", table);
    kernels["squares"] = Napi::Function::New<Squares>(info.Env(), "squares", table);
    kernels["copy"] = Napi::Function::New<Copy>(info.Env(), "copy", table);
    kernels["cast"] = Napi::Function::New<Cast>(info.Env(), "cast", table);
    kernels["isFinite"] = Napi::Function::New<IsFinite>(info.Env(), "isFinite", table);
    tensorkv::binding::AddCompression(info.Env(), kernels, table);
    tensorkv::binding::AddStep(info.Env(), kernels, table);
    tensorkv::binding::AddRows(info.Env(), kernels, table);
    return kernels;
  }
  return info.Env().Undefined();
}

// steps: the names of the update rules, in the order of the numbers that step takes.
Napi::Array StepNames(Napi::Env env) {
  const KernelTable& table = *tensorkv::KernelsFor(Cpu::kBaseline);
  Napi::Array names = Napi::Array::New(env);
  for (size_t k = 0; k < *table.step_count; ++k) {
    names[static_cast<uint32_t>(k)] = Napi::String::New(env, table.steps[k].name);
  }
  return names;
}

// cpus: the names that forCpu takes on this machine, the most capable last.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Napi::Array names = Napi::Array::New(env);
  for (const Cpu cpu : tensorkv::kCpus) {
    if (tensorkv::KernelsFor(cpu) == nullptr) continue;
    names[names.Length()] = Napi::String::New(env, tensorkv::NameOf(cpu));
  }
  exports["cpus"] = names;
  exports["steps"] = StepNames(env);
  exports["forCpu"] = Napi::Function::New<ForCpu>(env, "forCpu");
  exports["useHugePages"] = Napi::Function::New<UseHugePages>(env, "useHugePages");
  AddEngine(env, exports);
  AddCuda(env, exports);
  exports["externalBuffer"] = Napi::Function::New<ExternalBuffer>(env, "externalBuffer");
  return exports;
}

}  // namespace

NODE_API_MODULE(tensorkv, Init)
