#pragma once

#include <napi.h>

namespace tensorkv::binding {

// A function of JavaScript that any thread can have called soon. It does not keep its thread alive
// unless it is told to.
class Doorbell {
 public:
  Doorbell(Napi::Env env, Napi::Function function) {
    const Napi::String name = Napi::String::New(env, "tensorkv");
    const napi_status made = napi_create_threadsafe_function(
        env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, Call, &function_);
    if (made != napi_ok) throw Napi::Error::New(env);
    napi_unref_threadsafe_function(env, function_);
  }
  void Ring() { napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking); }
  // Whether it keeps its thread alive. Called by that thread.
  void Ref(napi_env env) { napi_ref_threadsafe_function(env, function_); }
  void Unref(napi_env env) { napi_unref_threadsafe_function(env, function_); }
  void Release() { napi_release_threadsafe_function(function_, napi_tsfn_release); }

 private:
  // In C: the wrapper's C++ exceptions would end the process where the thread is being terminated.
  static void Call(napi_env env, napi_value function, void*, void*) {
    if (env == nullptr || function == nullptr) return;
    napi_value undefined;
    if (napi_get_undefined(env, &undefined) != napi_ok) return;
    const napi_status called = napi_call_function(env, undefined, function, 0, nullptr, nullptr);
    if (called != napi_pending_exception) return;
    // Left alone, Node makes a warning of it. Where the thread is being terminated nothing is done.
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
      napi_fatal_exception(env, thrown);
    }
  }

  napi_threadsafe_function function_ = nullptr;
};

}  // namespace tensorkv::binding
