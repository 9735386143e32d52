#pragma once

// What the bindings share: typed arrays and lists of them as addresses. Only binding files use it.
#include <napi.h>

#include <array>
#include <vector>

#include "kernels.h"

namespace tensorkv::binding {

struct View {
  napi_typedarray_type type;
  size_t length;
  void* data;
};

// napi_get_typedarray_info, and not the array buffer's data, which Node 20 refuses to give for a
// SharedArrayBuffer.
inline View ViewOf(Napi::Env env, napi_value value) {
  View view;
  const napi_status status =
      napi_get_typedarray_info(env, value, &view.type, &view.length, &view.data, nullptr, nullptr);
  if (status != napi_ok) throw Napi::TypeError::New(env, "Expected a typed array");
  return view;
}

inline size_t BytesPerElement(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return 1;
    case napi_int16_array:
    case napi_uint16_array:
      return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    default:
      return 8;
  }
}

// The addresses of a list of views. As many as kernels usually get need no allocation.
class Addresses {
 public:
  Addresses(Napi::Env env, const Napi::Value& value) {
    const Napi::Array list = value.As<Napi::Array>();
    size_ = list.Length();
    if (size_ > few_.size()) {
      many_.resize(size_);
      data_ = many_.data();
    }
    for (size_t k = 0; k < size_; ++k) {
      data_[k] = ViewOf(env, list.Get(static_cast<uint32_t>(k))).data;
    }
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  void* const* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::array<void*, 64> few_;
  std::vector<void*> many_;
  void** data_ = few_.data();
  size_t size_ = 0;
};

inline const KernelTable& Table(const Napi::CallbackInfo& info) {
  return *static_cast<const KernelTable*>(info.Data());
}

}  // namespace tensorkv::binding
