#include "binding.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

// The first two arguments: whether it is 2bit, and the threshold.
CodecSpec CodecOf(const Napi::CallbackInfo& info) {
  return {info[0].As<Napi::Boolean>(), info[1].As<Napi::Number>().FloatValue()};
}

float* Floats(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<float*>(ViewOf(info.Env(), info[index]).data);
}

// encode(twoBit, threshold, gradient, residual, out)
void EncodeGradient(const Napi::CallbackInfo& info) {
  const View gradient = ViewOf(info.Env(), info[2]);
  const View out = ViewOf(info.Env(), info[4]);
  Table(info).encode(CodecOf(info), static_cast<const float*>(gradient.data), Floats(info, 3),
                     static_cast<uint8_t*>(out.data), gradient.length);
}

// decode(twoBit, threshold, bytes, out)
void DecodeGradient(const Napi::CallbackInfo& info) {
  const View bytes = ViewOf(info.Env(), info[2]);
  const View out = ViewOf(info.Env(), info[3]);
  Table(info).decode(CodecOf(info), static_cast<const uint8_t*>(bytes.data),
                     static_cast<float*>(out.data), out.length);
}

// quantize(twoBit, threshold, gradient, residual, left, out)
void QuantizeGradient(const Napi::CallbackInfo& info) {
  const View gradient = ViewOf(info.Env(), info[2]);
  Table(info).quantize(CodecOf(info), static_cast<const float*>(gradient.data), Floats(info, 3),
                       Floats(info, 4), Floats(info, 5), gradient.length);
}

}  // namespace

void AddCompression(Napi::Env env, Napi::Object kernels, void* table) {
  kernels["encode"] = Napi::Function::New<EncodeGradient>(env, "encode", table);
  kernels["decode"] = Napi::Function::New<DecodeGradient>(env, "decode", table);
  kernels["quantize"] = Napi::Function::New<QuantizeGradient>(env, "quantize", table);
}

}  // namespace tensorkv::binding
