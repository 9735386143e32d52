#pragma once

// What the bindings share: typed arrays and lists of them as addresses. Only binding files use it.
#include <napi.h>

#include <array>
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace tensorkv::binding {

// What JavaScript has checked and memory depends on is checked here once more: a mistake there
// throws and does not write to foreign memory.
inline void Require(Napi::Env env, bool holds, const char* otherwise) {
  if (!holds) throw Napi::TypeError::New(env, otherwise);
}

constexpr size_t BytesPerElement(napi_typedarray_type type) {
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

struct View {
  napi_typedarray_type type;
  size_t length;
  void* data;

  size_t bytes() const { return length * BytesPerElement(type); }
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

// A view of one type.
inline View ViewOf(Napi::Env env, napi_value value, napi_typedarray_type type) {
  const View view = ViewOf(env, value);
  Require(env, view.type == type, "Expected a typed array of another type");
  return view;
}

// A view of shared memory: it is there for as long as somebody refers to it, and cannot be
// detached.
inline View SharedViewOf(Napi::Env env, napi_value value) {
  View view;
  napi_value buffer;
  const napi_status status =
      napi_get_typedarray_info(env, value, &view.type, &view.length, &view.data, &buffer, nullptr);
  if (status != napi_ok) throw Napi::TypeError::New(env, "Expected a typed array");
  bool is_unshared = false;
  if (napi_is_arraybuffer(env, buffer, &is_unshared) != napi_ok) is_unshared = true;
  Require(env, !is_unshared, "Expected a typed array on a SharedArrayBuffer");
  return view;
}

// Whether no byte is part of both.
inline bool AreApart(const View& a, const View& b) {
  const auto x = reinterpret_cast<uintptr_t>(a.data);
  const auto y = reinterpret_cast<uintptr_t>(b.data);
  if (a.bytes() == 0 || b.bytes() == 0) return true;
  return x < y ? y - x >= a.bytes() : x - y >= b.bytes();
}

// Whether they are one array at one position, or apart.
inline bool AreAligned(const View& a, const View& b) { return a.data == b.data || AreApart(a, b); }

inline void RequireApart(Napi::Env env, const View& a, const View& b) {
  Require(env, AreApart(a, b), "Expected typed arrays that do not overlap");
}

// A number that counts something: an integer from 0 up to `most`.
inline size_t CountOf(Napi::Env env, const Napi::Value& value, double most = 9007199254740991) {
  double number = -1;
  if (napi_get_value_double(env, value, &number) != napi_ok) number = -1;
  Require(env, number >= 0 && number <= most, "Expected a number that counts");
  const auto count = static_cast<size_t>(number);
  Require(env, static_cast<double>(count) == number, "Expected a number that counts");
  return count;
}

inline bool IsTrue(Napi::Env env, const Napi::Value& value) {
  bool is_true = false;
  const napi_status status = napi_get_value_bool(env, value, &is_true);
  Require(env, status == napi_ok, "Expected a boolean");
  return is_true;
}

inline Dtype DtypeOf(Napi::Env env, const Napi::Value& value) {
  return static_cast<Dtype>(CountOf(env, value, kDtypeCount - 1));
}

// How JavaScript holds the elements of a dtype.
constexpr napi_typedarray_type TypeOf(Dtype dtype) {
  constexpr napi_typedarray_type kTypes[kDtypeCount] = {
      napi_float32_array, napi_float64_array, napi_uint16_array, napi_uint16_array,
      napi_int8_array,    napi_uint8_array,   napi_int32_array,  napi_bigint64_array};
  return kTypes[static_cast<size_t>(dtype)];
}

// How it holds what a dtype is computed in.
constexpr napi_typedarray_type ComputedTypeOf(Dtype dtype) {
  return dtype == Dtype::kFloat64 ? napi_float64_array : napi_float32_array;
}

// The elements of a list. They are all taken before anybody looks at one: a getter among them may
// detach what was looked at before.
class Values {
 public:
  Values(Napi::Env env, const Napi::Value& value) {
    Require(env, value.IsArray(), "Expected an array");
    const Napi::Array list = value.As<Napi::Array>();
    size_ = list.Length();
    Require(env, size_ <= kMost, "Expected a shorter array");
    if (size_ > few_.size()) {
      many_.resize(size_);
      data_ = many_.data();
    }
    for (size_t k = 0; k < size_; ++k) data_[k] = list.Get(static_cast<uint32_t>(k));
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;

  napi_value operator[](size_t k) const { return data_[k]; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kMost = size_t{1} << 20;
  std::array<napi_value, 64> few_;
  std::vector<napi_value> many_;
  napi_value* data_ = few_.data();
  size_t size_ = 0;
};

// The addresses of a list of views of one type and length. As many as kernels usually get need no
// allocation.
class Addresses {
 public:
  Addresses(Napi::Env env, const Values& values, napi_typedarray_type type, size_t length)
      : view_{type, length, nullptr}, size_(values.size()) {
    if (size_ > few_.size()) {
      many_.resize(size_);
      data_ = many_.data();
    }
    for (size_t k = 0; k < size_; ++k) {
      const View view = ViewOf(env, values[k], type);
      Require(env, view.length == length, "Expected typed arrays of one length");
      data_[k] = view.data;
    }
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  void* const* data() const { return data_; }
  size_t size() const { return size_; }

  // Throws unless each is `other` or apart from it; `strictly`: apart.
  void RequireApartFrom(Napi::Env env, const View& other, bool strictly = false) const {
    View view = view_;
    for (size_t k = 0; k < size_; ++k) {
      view.data = data_[k];
      const bool holds = strictly ? AreApart(view, other) : AreAligned(view, other);
      Require(env, holds, "Expected typed arrays that do not overlap");
    }
  }

 private:
  const View view_;
  std::array<void*, 64> few_;
  std::vector<void*> many_;
  void** data_ = few_.data();
  size_t size_ = 0;
};

inline const KernelTable& Table(const Napi::CallbackInfo& info) {
  return *static_cast<const KernelTable*>(info.Data());
}

}  // namespace tensorkv::binding
