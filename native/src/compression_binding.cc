#include "binding.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

// The first two arguments: whether it is 2bit, and the threshold.
CodecSpec CodecOf(const Napi::CallbackInfo& info) {
  Require(info.Env(), info[1].IsNumber(), "Expected a threshold");
  return {IsTrue(info.Env(), info[0]), info[1].As<Napi::Number>().FloatValue()};
}

View FloatsAt(const Napi::CallbackInfo& info, size_t index) {
  return ViewOf(info.Env(), info[index], napi_float32_array);
}

View FloatsAt(const Napi::CallbackInfo& info, size_t index, size_t length) {
  const View view = FloatsAt(info, index);
  Require(info.Env(), view.length == length, "Expected typed arrays of one length");
  return view;
}

float* Floats(const View& view) { return static_cast<float*>(view.data); }

// The codes of `length` elements.
View CodesAt(const Napi::CallbackInfo& info, size_t index, const CodecSpec& codec, size_t length) {
  const View view = ViewOf(info.Env(), info[index], napi_uint8_array);
  const size_t elements = codec.two_bit ? 16 : 32;
  Require(info.Env(), view.length == (length + elements - 1) / elements * 4,
          "Expected codes of the length of theirs");
  return view;
}

// encode(twoBit, threshold, gradient, residual, out)
void EncodeGradient(const Napi::CallbackInfo& info) {
  const CodecSpec codec = CodecOf(info);
  const View gradient = FloatsAt(info, 2);
  const View residual = FloatsAt(info, 3, gradient.length);
  const View out = CodesAt(info, 4, codec, gradient.length);
  RequireApart(info.Env(), gradient, residual);
  RequireApart(info.Env(), out, gradient);
  RequireApart(info.Env(), out, residual);
  Table(info).encode(codec, Floats(gradient), Floats(residual), static_cast<uint8_t*>(out.data),
                     gradient.length);
}

// decode(twoBit, threshold, bytes, out)
void DecodeGradient(const Napi::CallbackInfo& info) {
  const CodecSpec codec = CodecOf(info);
  const View out = FloatsAt(info, 3);
  const View bytes = CodesAt(info, 2, codec, out.length);
  RequireApart(info.Env(), bytes, out);
  Table(info).decode(codec, static_cast<const uint8_t*>(bytes.data), Floats(out), out.length);
}

// quantize(twoBit, threshold, gradient, residual, left, out)
void QuantizeGradient(const Napi::CallbackInfo& info) {
  const CodecSpec codec = CodecOf(info);
  const View gradient = FloatsAt(info, 2);
  const View residual = FloatsAt(info, 3, gradient.length);
  const View left = FloatsAt(info, 4, gradient.length);
  const View out = FloatsAt(info, 5, gradient.length);
  Require(info.Env(),
          AreAligned(residual, gradient) && AreAligned(left, residual) && AreAligned(out, gradient),
          "Expected typed arrays that do not overlap in part");
  RequireApart(info.Env(), out, left);
  RequireApart(info.Env(), out, residual);
  RequireApart(info.Env(), gradient, left);
  Table(info).quantize(codec, Floats(gradient), Floats(residual), Floats(left), Floats(out),
                       gradient.length);
}

}  // namespace

void AddCompression(Napi::Env env, Napi::Object kernels, void* table) {
  kernels["encode"] = Napi::Function::New<EncodeGradient>(env, "encode", table);
  kernels["decode"] = Napi::Function::New<DecodeGradient>(env, "decode", table);
  kernels["quantize"] = Napi::Function::New<QuantizeGradient>(env, "quantize", table);
}

}  // namespace tensorkv::binding
