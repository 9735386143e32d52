#pragma once

// What the bindings of CUDA have of each thread of JavaScript.
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "binding.h"
#include "cuda/runtime.h"
#include "doorbell.h"
#include "views.h"

namespace tensorkv::binding {

inline Napi::Error ErrorOf(Napi::Env env, const std::string& message, const char* code) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// What one thread has of CUDA: its environment, and the functions that wait for notes. The
// environment ends with the thread, before the doorbell goes: that was made earlier.
class Thread {
 public:
  explicit Thread(Napi::Env env) : env_(env) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() = default;

  // Made when it is first needed: only who uses CUDA pays for it.
  cuda::Environment& environment() {
    if (has_ended_)
      throw cuda::Failure(cuda::FailureCode::kPeerDead, "Expected a thread that has not ended");
    if (environment_ == nullptr) {
      const Napi::Function heard = Napi::Function::New(
          env_, [this](const Napi::CallbackInfo&) { Deliver(); }, "tensorkvCudaNotes");
      bell_ = std::make_shared<Doorbell>(env_, heard);
      environment_ = std::make_unique<cuda::Environment>([bell = bell_] { bell->Ring(); });
      napi_add_env_cleanup_hook(env_, OnEnd, this);
    }
    return *environment_;
  }

  // Knows whether `object` has been collected, by a number, until it is forgotten. It keeps nothing
  // alive, as a WeakRef does until the end of the turn.
  uint64_t Watch(const Napi::Object& object) {
    environment();  // Its end lets go of all.
    watched_.emplace(++last_watched_, Napi::Weak(object));
    return last_watched_;
  }
  void Forget(uint64_t number) { watched_.erase(number); }
  // The numbers of those that have been collected.
  std::vector<double> Collected() const {
    std::vector<double> numbers;
    for (const auto& [number, object] : watched_) {
      const Napi::HandleScope scope(env_);
      if (object.Value().IsEmpty()) numbers.push_back(static_cast<double>(number));
    }
    return numbers;
  }

  // Calls `done` once note `number` has arrived. The thread stays alive until then.
  void Await(uint64_t number, const Napi::Function& done, const Napi::Value& out, size_t bytes) {
    Pending pending = {Napi::Persistent(done), {}, bytes};
    if (!out.IsEmpty()) pending.out = Napi::Persistent(out.As<Napi::Object>());
    if (pending_.empty()) bell_->Ref(env_);
    pending_.emplace(number, std::move(pending));
  }

 private:
  struct Pending {
    Napi::FunctionReference done;
    Napi::ObjectReference out;  // of a download
    size_t bytes;
  };

  static void OnEnd(void* self) { static_cast<Thread*>(self)->End(); }
  void End() {
    has_ended_ = true;
    environment_->End();
    pending_.clear();
    watched_.clear();
  }

  void Deliver() {
    if (has_ended_) return;
    for (const cuda::Arrival& arrival : environment_->TakeArrivals()) {
      const auto found = pending_.find(arrival.number);
      if (found == pending_.end()) continue;
      Pending pending = std::move(found->second);
      pending_.erase(found);
      if (pending_.empty()) bell_->Unref(env_);
      Finish(pending, arrival);
    }
  }

  void Finish(const Pending& pending, const cuda::Arrival& arrival) {
    const Napi::HandleScope scope(env_);
    std::string error = arrival.error;
    const char* code = "peer_dead";
    if (error.empty() && !pending.out.IsEmpty()) {
      const View out = ViewOf(env_, pending.out.Value());
      if (out.bytes() != pending.bytes) {
        error = "Expected an array that is neither detached nor resized before its download ends";
        code = "bad_argument";
      } else if (out.bytes() > 0) {
        std::memcpy(out.data, arrival.block.data(), out.bytes());
      }
    }
    napi_value given = error.empty() ? env_.Undefined() : ErrorOf(env_, error, code).Value();
    napi_value ignored;
    const napi_status called =
        napi_call_function(env_, env_.Undefined(), pending.done.Value(), 1, &given, &ignored);
    if (called != napi_pending_exception) return;
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env_, &thrown) == napi_ok) {
      napi_fatal_exception(env_, thrown);
    }
  }

  const Napi::Env env_;
  std::unique_ptr<cuda::Environment> environment_;
  std::shared_ptr<Doorbell> bell_;
  std::unordered_map<uint64_t, Pending> pending_;
  std::unordered_map<uint64_t, Napi::ObjectReference> watched_;
  uint64_t last_watched_ = 0;
  bool has_ended_ = false;
};

}  // namespace tensorkv::binding
