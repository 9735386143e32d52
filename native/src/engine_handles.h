#pragma once

// What JavaScript holds of an engine: the coordinator's side, a device's side, and how the one
// finds the other. Only engine_binding.cc uses it.
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "doorbell.h"
#include "engine/engine.h"
#include "views.h"

namespace tensorkv::binding {

using engine::Device;
using engine::Engine;

// Every open engine of the process by its number, so that other threads find it. Never destroyed.
class Registry {
 public:
  static Registry& Get() {
    static Registry* const registry = new Registry();
    return *registry;
  }
  uint32_t Add(const std::shared_ptr<Engine>& engine) {
    const std::lock_guard lock(mutex_);
    engines_[++last_] = engine;
    return last_;
  }
  std::shared_ptr<Engine> Find(uint32_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = engines_.find(number);
    return found == engines_.end() ? nullptr : found->second;
  }
  void Remove(uint32_t number) {
    const std::lock_guard lock(mutex_);
    engines_.erase(number);
  }

 private:
  std::mutex mutex_;
  std::map<uint32_t, std::shared_ptr<Engine>> engines_;
  uint32_t last_ = 0;
};

// A device attached to an engine, as its thread holds it. Detached when it is asked to be, or when
// the thread ends: then before the doorbell goes, which was made earlier.
class Attached {
 public:
  Attached(Napi::Env env, std::shared_ptr<Engine> engine, engine::Rank rank, Napi::Function heard)
      : env_(env), engine_(std::move(engine)), bell_(std::make_shared<Doorbell>(env, heard)) {
    device_ = engine_->Attach(rank, [bell = bell_] { bell->Ring(); });
    napi_add_env_cleanup_hook(env_, OnEnd, this);
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  ~Attached() { Detach(); }

  void Detach() {
    if (device_ == nullptr) return;
    napi_remove_env_cleanup_hook(env_, OnEnd, this);
    Leave();
    bell_->Release();
  }
  // A ring that was under way may come after.
  bool is_detached() const { return device_ == nullptr; }
  Engine& engine() { return *engine_; }
  Device& device() { return *device_; }

 private:
  static void OnEnd(void* self) { static_cast<Attached*>(self)->Leave(); }
  void Leave() {
    if (device_ == nullptr) return;
    engine_->Detach(*device_);
    device_.reset();
  }

  const Napi::Env env_;
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Doorbell> bell_;
  std::shared_ptr<Device> device_;
};

// An engine as its coordinator holds it. Closed when it is asked to be, or when the thread ends:
// the stored tensors are that thread's.
class Owned {
 public:
  // `status`: the arrays where the engine says how it stands, up to its end.
  Owned(Napi::Env env, std::shared_ptr<Engine> engine, Napi::Object status)
      : env_(env),
        status_(Napi::Persistent(status)),
        engine_(std::move(engine)),
        number_(Registry::Get().Add(engine_)) {
    napi_add_env_cleanup_hook(env_, OnEnd, this);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { Close(); }

  void Close() {
    if (is_closed_) return;
    napi_remove_env_cleanup_hook(env_, OnEnd, this);
    End();
  }
  Engine& engine() { return *engine_; }
  uint32_t number() const { return number_; }

 private:
  static void OnEnd(void* self) { static_cast<Owned*>(self)->End(); }
  void End() {
    is_closed_ = true;
    Registry::Get().Remove(number_);
    engine_->Close();
  }

  const Napi::Env env_;
  const Napi::ObjectReference status_;
  const std::shared_ptr<Engine> engine_;
  const uint32_t number_;
  bool is_closed_ = false;
};

// What JavaScript holds of the engine: the kind says that it is no other addon's, nor the other of
// ours.
template <typename T>
struct Held {
  const void* kind;
  std::unique_ptr<T> value;

  // An address that nobody else has.
  static const void* Kind() {
    static const char kind = 0;
    return &kind;
  }
};

template <typename T>
inline T& The(const Napi::CallbackInfo& info) {
  Require(info.Env(), info[0].IsExternal(), "Expected what the addon has given");
  const auto* const held = info[0].As<Napi::External<Held<T>>>().Data();
  Require(info.Env(), held != nullptr && held->kind == Held<T>::Kind(),
          "Expected what the addon has given");
  return *held->value;
}

template <typename T>
Napi::Value Hold(Napi::Env env, std::unique_ptr<T> value) {
  auto* const held = new Held<T>{Held<T>::Kind(), std::move(value)};
  return Napi::External<Held<T>>::New(env, held, [](Napi::Env, Held<T>* gone) { delete gone; });
}

}  // namespace tensorkv::binding
