// What JavaScript sees of the kernels: unwrap, call, return. native/kernels.ts has checked every
// argument; native/addon.ts declares the types. Nothing here is mutable or shared between threads.
#include <napi.h>

#include <string>

#include "kernels.h"
#include "views.h"

namespace {

using tensorkv::Cpu;
using tensorkv::KernelTable;
using namespace tensorkv::binding;

// reduceSum(inputs, out)
void ReduceSum(const Napi::CallbackInfo& info) {
  const Addresses inputs(info.Env(), info[0]);
  const View out = ViewOf(info.Env(), info[1]);
  const auto kernel = Table(info).reduce_sum[IndexOf(info.Env(), out.type)];
  kernel(inputs.data(), inputs.size(), out.data, out.length);
}

// sgdStep(inputs, stored, momentum | undefined, [lr, momentum, wd, rescale, clip] as Float64Array)
void SgdStep(const Napi::CallbackInfo& info) {
  const Addresses inputs(info.Env(), info[0]);
  const View stored = ViewOf(info.Env(), info[1]);
  void* const momentum = info[2].IsUndefined() ? nullptr : ViewOf(info.Env(), info[2]).data;
  const double* const h = static_cast<const double*>(ViewOf(info.Env(), info[3]).data);
  const tensorkv::SgdHyper hyper = {
      .lr = h[0], .momentum = h[1], .wd = h[2], .rescale = h[3], .clip = h[4]};
  const auto kernel = Table(info).sgd_step[IndexOf(info.Env(), stored.type)];
  kernel(inputs.data(), inputs.size(), stored.data, momentum, hyper, stored.length);
}

// copy(source, outs)
void Copy(const Napi::CallbackInfo& info) {
  const View source = ViewOf(info.Env(), info[0]);
  const Addresses outs(info.Env(), info[1]);
  const size_t bytes = source.length * BytesPerElement(source.type);
  Table(info).copy(source.data, outs.data(), outs.size(), bytes);
}

// cast(source, out)
void Cast(const Napi::CallbackInfo& info) {
  const View source = ViewOf(info.Env(), info[0]);
  const View out = ViewOf(info.Env(), info[1]);
  const auto kernel =
      Table(info).cast[IndexOf(info.Env(), source.type)][IndexOf(info.Env(), out.type)];
  kernel(source.data, out.data, out.length);
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
    kernels["sgdStep"] = Napi::Function::New<SgdStep>(info.Env(), "sgdStep", table);
    kernels["copy"] = Napi::Function::New<Copy>(info.Env(), "copy", table);
    kernels["cast"] = Napi::Function::New<Cast>(info.Env(), "cast", table);
    return kernels;
  }
  return info.Env().Undefined();
}

// cpus: the names that forCpu takes on this machine, the most capable last.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Napi::Array names = Napi::Array::New(env);
  for (const Cpu cpu : tensorkv::kCpus) {
    if (tensorkv::KernelsFor(cpu) == nullptr) continue;
    names[names.Length()] = Napi::String::New(env, tensorkv::NameOf(cpu));
  }
  exports["cpus"] = names;
  exports["forCpu"] = Napi::Function::New<ForCpu>(env, "forCpu");
  exports["externalBuffer"] = Napi::Function::New<ExternalBuffer>(env, "externalBuffer");
  return exports;
}

}  // namespace

NODE_API_MODULE(tensorkv, Init)
