// What JavaScript sees of the kernels: unwrap, call, return. native/kernels.ts has checked every
// argument; native/addon.ts declares the types. Nothing here is mutable or shared between threads.
#include "binding.h"

#include <napi.h>

#include <string>

#include "kernels.h"
#include "views.h"

namespace {

using tensorkv::Cpu;
using tensorkv::KernelTable;
using namespace tensorkv::binding;

// A number among the arguments.
uint32_t NumberAt(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

// reduceSum(inputs, out, dtype)
void ReduceSum(const Napi::CallbackInfo& info) {
  const Addresses inputs(info.Env(), info[0]);
  const View out = ViewOf(info.Env(), info[1]);
  const auto kernel = Table(info).reduce_sum[NumberAt(info, 2)];
  kernel(inputs.data(), inputs.size(), out.data, out.length);
}

// The address of an argument that may be undefined.
void* OptionalAddress(const Napi::CallbackInfo& info, size_t index) {
  return info[index].IsUndefined() ? nullptr : ViewOf(info.Env(), info[index]).data;
}

// step(rule, dtype, inputs, stored, slots, hyper, rowLength, master | undefined,
//      scratch | undefined, average | undefined, rows | undefined)
void Step(const Napi::CallbackInfo& info) {
  const Addresses inputs(info.Env(), info[2]);
  const Addresses slots(info.Env(), info[4]);
  const View first = ViewOf(info.Env(), info[2].As<Napi::Array>().Get(uint32_t{0}));
  const tensorkv::StepArguments arguments = {
      .inputs = inputs.data(),
      .count = inputs.size(),
      .stored = ViewOf(info.Env(), info[3]).data,
      .master = OptionalAddress(info, 7),
      .slots = slots.data(),
      .scratch = OptionalAddress(info, 8),
      .average = OptionalAddress(info, 9),
      .rows = static_cast<const int64_t*>(OptionalAddress(info, 10)),
      .row_length = static_cast<size_t>(info[6].As<Napi::Number>().Int64Value()),
      .hyper = static_cast<const double*>(ViewOf(info.Env(), info[5]).data),
      .length = first.length};
  Table(info).steps[NumberAt(info, 0)].run[NumberAt(info, 1)](arguments);
}

// squares(inputs, dtype)
Napi::Value Squares(const Napi::CallbackInfo& info) {
  const Addresses inputs(info.Env(), info[0]);
  const View first = ViewOf(info.Env(), info[0].As<Napi::Array>().Get(uint32_t{0}));
  const auto kernel = Table(info).squares[NumberAt(info, 1)];
  return Napi::Number::New(info.Env(), kernel(inputs.data(), inputs.size(), first.length));
}

// copy(source, outs)
void Copy(const Napi::CallbackInfo& info) {
  const View source = ViewOf(info.Env(), info[0]);
  const Addresses outs(info.Env(), info[1]);
  const size_t bytes = source.length * BytesPerElement(source.type);
  Table(info).copy(source.data, outs.data(), outs.size(), bytes);
}

// cast(source, out, from, to)
void Cast(const Napi::CallbackInfo& info) {
  const View source = ViewOf(info.Env(), info[0]);
  const View out = ViewOf(info.Env(), info[1]);
  const auto kernel = Table(info).cast[NumberAt(info, 2)][NumberAt(info, 3)];
  kernel(source.data, out.data, out.length);
}

// isFinite(view, dtype): a boolean
Napi::Value IsFinite(const Napi::CallbackInfo& info) {
  const View view = ViewOf(info.Env(), info[0]);
  const auto kernel = Table(info).is_finite[NumberAt(info, 1)];
  return Napi::Boolean::New(info.Env(), kernel(view.data, view.length));
}

// externalBuffer(view): an ArrayBuffer over the bytes of a non-empty view of shared memory. It does
// not keep that memory: the caller must, until this buffer is collected.
Napi::Value ExternalBuffer(const Napi::CallbackInfo& info) {
  const View view = ViewOf(info.Env(), info[0]);
  return Napi::ArrayBuffer::New(info.Env(), view.data, view.length * BytesPerElement(view.type));
}

// forCpu(name): the kernels compiled for it, or undefined where this machine cannot run them.
Napi::Value ForCpu(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  for (const Cpu cpu : tensorkv::kCpus) {
    const KernelTable* const found = tensorkv::KernelsFor(cpu);
    if (found == nullptr || name != tensorkv::NameOf(cpu)) continue;
    // The table is constant; Node-API just has no pointer to const.
    void* const table = const_cast<KernelTable*>(found);
    Napi::Object kernels = Napi::Object::New(info.Env());
    kernels["reduceSum"] = Napi::Function::New<ReduceSum>(info.Env(), "reduceSum", table);
    kernels["step"] = Napi::Function::New<Step>(info.Env(), "step", table);
    kernels["squares"] = Napi::Function::New<Squares>(info.Env(), "squares", table);
    kernels["copy"] = Napi::Function::New<Copy>(info.Env(), "copy", table);
    kernels["cast"] = Napi::Function::New<Cast>(info.Env(), "cast", table);
    kernels["isFinite"] = Napi::Function::New<IsFinite>(info.Env(), "isFinite", table);
    tensorkv::binding::AddCompression(info.Env(), kernels, table);
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
  AddEngine(env, exports);
  exports["externalBuffer"] = Napi::Function::New<ExternalBuffer>(env, "externalBuffer");
  return exports;
}

}  // namespace

NODE_API_MODULE(tensorkv, Init)
