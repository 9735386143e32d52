// What JavaScript sees of the engine. native/engine.ts has the types and says what each call does.
#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "binding.h"
#include "engine/engine.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

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

// A function of JavaScript that any thread can have called soon. It does not keep its thread alive.
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
  void Release() { napi_release_threadsafe_function(function_, napi_tsfn_release); }

 private:
  // In C: the wrapper's C++ exceptions would end the process where the thread is being terminated.
  static void Call(napi_env env, napi_value function, void*, void*) {
    if (env == nullptr || function == nullptr) return;
    napi_value undefined;
    if (napi_get_undefined(env, &undefined) != napi_ok) return;
    napi_call_function(env, undefined, function, 0, nullptr, nullptr);
  }

  napi_threadsafe_function function_ = nullptr;
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
  Owned(Napi::Env env, std::shared_ptr<Engine> engine)
      : env_(env), engine_(std::move(engine)), number_(Registry::Get().Add(engine_)) {
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
  const std::shared_ptr<Engine> engine_;
  const uint32_t number_;
  bool is_closed_ = false;
};

template <typename T>
T& The(const Napi::CallbackInfo& info) {
  return *info[0].As<Napi::External<T>>().Data();
}

double NumberOf(const Napi::Value& value) { return value.As<Napi::Number>().DoubleValue(); }
uint32_t IndexOf(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
engine::BufferId NumberedBuffer(const Napi::Value& value) {
  return value.As<Napi::Number>().Int32Value();
}

void* AddressOf(Napi::Env env, const Napi::Value& value) {
  return value.IsUndefined() ? nullptr : ViewOf(env, value).data;
}

template <typename T>
Napi::Value Hold(Napi::Env env, T* held) {
  return Napi::External<T>::New(env, held, [](Napi::Env, T* gone) { delete gone; });
}

// createEngine(ranks, consistency, staleness, cpu, updates: BigInt64Array)
Napi::Value CreateEngine(const Napi::CallbackInfo& info) {
  const std::string name = info[3].As<Napi::String>();
  const KernelTable* kernels = nullptr;
  for (const Cpu cpu : kCpus) {
    const KernelTable* const found = KernelsFor(cpu);
    if (found != nullptr && name == NameOf(cpu)) kernels = found;
  }
  if (kernels == nullptr) throw Napi::TypeError::New(info.Env(), "No kernels for " + name);
  return Hold(info.Env(),
              new Owned(info.Env(),
                        std::make_shared<Engine>(
                            IndexOf(info[0]), static_cast<engine::Consistency>(IndexOf(info[1])),
                            NumberOf(info[2]), kernels,
                            static_cast<int64_t*>(ViewOf(info.Env(), info[4]).data))));
}

// engineNumber(engine)
Napi::Value EngineNumber(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), The<Owned>(info).number());
}

// closeEngine(engine)
void CloseEngine(const Napi::CallbackInfo& info) { The<Owned>(info).Close(); }

// setPlan(engine, key, version, stored, storedNumber, other, otherNumber, access, dtype, rule,
// slots,
//         master, average, scratchLength, hyper, count)
void SetPlan(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View stored = ViewOf(env, info[3]);
  engine::Plan plan;
  plan.access = static_cast<engine::Access>(IndexOf(info[7]));
  plan.dtype = static_cast<Dtype>(IndexOf(info[8]));
  plan.length = stored.length;
  plan.buffers[0] = stored.data;
  plan.buffers[1] = AddressOf(env, info[5]);
  if (plan.access == engine::Access::kStep) {
    const Addresses slots(env, info[10]);
    plan.step = &The<Owned>(info).engine().kernels().steps[IndexOf(info[9])];
    plan.slots.assign(slots.data(), slots.data() + slots.size());
    plan.master = AddressOf(env, info[11]);
    plan.average = AddressOf(env, info[12]);
    plan.scratch_length = static_cast<size_t>(NumberOf(info[13]));
    plan.hyper = IndexOf(info[14]);
    plan.count = NumberOf(info[15]);
  }
  const engine::BufferId other =
      plan.buffers[1] == nullptr ? engine::kNoBuffer : NumberedBuffer(info[6]);
  The<Owned>(info).engine().SetPlan(IndexOf(info[1]), std::move(plan), NumberedBuffer(info[4]),
                                    other, NumberOf(info[2]));
}

// setClocks(engine, key, clocks: Float64Array)
void SetClocks(const Napi::CallbackInfo& info) {
  double* const clocks = static_cast<double*>(ViewOf(info.Env(), info[2]).data);
  The<Owned>(info).engine().SetClocks(IndexOf(info[1]), clocks);
}

// setHyper(engine, table, first, isSteady, width, values: Float64Array)
void SetHyper(const Napi::CallbackInfo& info) {
  const View values = ViewOf(info.Env(), info[5]);
  const double* const data = static_cast<const double*>(values.data);
  The<Owned>(info).engine().SetHyper(IndexOf(info[1]),
                                     {.first = NumberOf(info[2]),
                                      .width = static_cast<size_t>(NumberOf(info[4])),
                                      .is_steady = info[3].ToBoolean(),
                                      .values = {data, data + values.length}});
}

// grow(engine, ranks)
void Grow(const Napi::CallbackInfo& info) { The<Owned>(info).engine().Grow(IndexOf(info[1])); }

// Numbers of a pin: key, buffer, rank, how many.
constexpr size_t kPinLength = 4;

// lease(engine, live: number[], pins: Int32Array)
void Lease(const Napi::CallbackInfo& info) {
  const Napi::Array list = info[1].As<Napi::Array>();
  std::vector<engine::Rank> live(list.Length());
  for (uint32_t i = 0; i < live.size(); ++i) live[i] = IndexOf(list.Get(i));
  const View view = ViewOf(info.Env(), info[2]);
  const auto* words = static_cast<const int32_t*>(view.data);
  std::vector<engine::Pin> pins;
  for (size_t at = 0; at + kPinLength <= view.length; at += kPinLength, words += kPinLength) {
    pins.push_back({.key = static_cast<engine::KeyId>(words[0]),
                    .buffer = words[1],
                    .rank = static_cast<engine::Rank>(words[2]),
                    .count = static_cast<uint32_t>(words[3])});
  }
  The<Owned>(info).engine().Lease(live, pins);
}

template <typename Array, typename T>
Napi::Value ArrayOf(Napi::Env env, const std::vector<T>& numbers) {
  auto array = Array::New(env, numbers.size());
  std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

// The views of a ticket: key, buffer and version for each; no buffer where it is still open.
Napi::Value ViewsOf(Napi::Env env, const engine::Ticket& ticket) {
  std::vector<double> views;
  for (const engine::Part& part : ticket.parts) {
    if (!part.is_view) continue;
    const engine::Shown& shown = ticket.shown[part.first];
    views.insert(views.end(),
                 {static_cast<double>(part.key), static_cast<double>(shown.buffer), shown.version});
  }
  return ArrayOf<Napi::Float64Array>(env, views);
}

// The words of a ticket's open parts, of one kind: key, count, numbers, for each.
Napi::Value WordsOf(Napi::Env env, const engine::Ticket& ticket, bool pushes) {
  std::vector<int32_t> words;
  for (const engine::Part& part : ticket.parts) {
    if (part.is_push != pushes || part.is_view || part.has_ended) continue;
    words.push_back(static_cast<int32_t>(part.key));
    words.push_back(static_cast<int32_t>(part.count));
    for (uint32_t i = 0; i < part.count; ++i) {
      words.push_back(ticket.tensors[part.first + i].number);
    }
  }
  return ArrayOf<Napi::Int32Array>(env, words);
}

// What kind of request a ticket was, its parts that have ended included.
const char* TypeOf(const engine::Ticket& ticket) {
  bool pushes = false, pulls = false;
  for (const engine::Part& part : ticket.parts) (part.is_push ? pushes : pulls) = true;
  return pushes && pulls ? "pushpull" : pushes ? "push" : "pull";
}

// recall(engine): { tickets, pins, made }
Napi::Value Recall(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array tickets = Napi::Array::New(env);
  std::vector<int32_t> pins;
  const Napi::Array made = Napi::Array::New(env);
  The<Owned>(info).engine().Recall(
      [&](const engine::Ticket& ticket) {
        const Napi::Object each = Napi::Object::New(env);
        each.Set("rank", static_cast<double>(ticket.rank));
        each.Set("id", ticket.id);
        each.Set("deadlineMs", ticket.deadline_ms);
        each.Set("priority", ticket.priority);
        each.Set("type", TypeOf(ticket));
        each.Set("push", WordsOf(env, ticket, true));
        each.Set("pull", WordsOf(env, ticket, false));
        each.Set("views", ViewsOf(env, ticket));
        tickets.Set(tickets.Length(), each);
      },
      [&](const engine::Pin& pin) {
        pins.insert(pins.end(), {static_cast<int32_t>(pin.key), pin.buffer,
                                 static_cast<int32_t>(pin.rank), static_cast<int32_t>(pin.count)});
      },
      [&](engine::KeyId key, const engine::Made& each) {
        const Napi::Object one = Napi::Object::New(env);
        one.Set("key", static_cast<double>(key));
        one.Set("rounds", static_cast<double>(each.rounds));
        one.Set("hasMoved", each.has_moved);
        made.Set(made.Length(), one);
      });
  const Napi::Object recalled = Napi::Object::New(env);
  recalled.Set("tickets", tickets);
  recalled.Set("pins", ArrayOf<Napi::Int32Array>(env, pins));
  recalled.Set("made", made);
  return recalled;
}

// callDevice(engine, rank)
void CallDevice(const Napi::CallbackInfo& info) {
  The<Owned>(info).engine().Call(IndexOf(info[1]));
}

// attach(number, rank, heard): undefined where the engine is gone
Napi::Value Attach(const Napi::CallbackInfo& info) {
  std::shared_ptr<Engine> engine = Registry::Get().Find(IndexOf(info[0]));
  if (engine == nullptr) return info.Env().Undefined();
  return Hold(info.Env(), new Attached(info.Env(), std::move(engine), IndexOf(info[1]),
                                       info[2].As<Napi::Function>()));
}

// detach(device)
void Detach(const Napi::CallbackInfo& info) { The<Attached>(info).Detach(); }

// From here on: a device that is detached has nothing, and does nothing.

// bind(device, number, elements, dtype)
void Bind(const Napi::CallbackInfo& info) {
  if (The<Attached>(info).is_detached()) return;
  Device& device = The<Attached>(info).device();
  const size_t number = IndexOf(info[1]);
  const View view = ViewOf(info.Env(), info[2]);
  if (number >= device.bindings.size()) device.bindings.resize(number * 2 + 16);
  device.bindings[number] = {.data = static_cast<char*>(view.data),
                             .length = view.length,
                             .dtype = static_cast<Dtype>(IndexOf(info[3]))};
}

// unbind(device, numbers): also such that were never bound here, of row-sparse tensors
void Unbind(const Napi::CallbackInfo& info) {
  if (The<Attached>(info).is_detached()) return;
  Device& device = The<Attached>(info).device();
  const Napi::Array numbers = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < numbers.Length(); ++i) {
    const size_t number = IndexOf(numbers.Get(i));
    if (number < device.bindings.size()) device.bindings[number] = {};
  }
}

// setKnown(device, buffer, isKnown)
void SetKnown(const Napi::CallbackInfo& info) {
  if (The<Attached>(info).is_detached()) return;
  Device& device = The<Attached>(info).device();
  const size_t number = IndexOf(info[1]);
  if (number >= device.known.size()) device.known.resize(number * 2 + 16);
  device.known[number] = info[2].ToBoolean();
}

// submit(device, heads: Float64Array, words: Int32Array, count, inlineBytes): how many were taken.
// A head is five numbers: id, deadline, priority, whether it is disjoint, how many words it has.
Napi::Value Submit(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  if (attached.is_detached()) return Napi::Number::New(info.Env(), 0);
  const double* head = static_cast<const double*>(ViewOf(info.Env(), info[1]).data);
  const int32_t* words = static_cast<const int32_t*>(ViewOf(info.Env(), info[2]).data);
  const size_t count = IndexOf(info[3]);
  static thread_local std::vector<engine::Order> orders;
  orders.clear();
  for (size_t i = 0; i < count; ++i, head += 5) {
    const auto size = static_cast<size_t>(head[4]);
    orders.push_back({.id = head[0],
                      .deadline_ms = head[1],
                      .priority = head[2],
                      .is_disjoint = head[3] != 0,
                      .words = words,
                      .count = size});
    words += size;
  }
  const double bytes = NumberOf(info[4]);
  const size_t budget = std::isfinite(bytes) ? static_cast<size_t>(bytes) : Engine::kUnlimited;
  const size_t taken = attached.engine().Submit(attached.device(), orders.data(), count, budget);
  return Napi::Number::New(info.Env(), static_cast<double>(taken));
}

// isDisjoint(device, words: Int32Array)
Napi::Value IsDisjoint(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  if (attached.is_detached()) return Napi::Boolean::New(info.Env(), false);
  const View words = ViewOf(info.Env(), info[1]);
  const bool is_disjoint = attached.engine().IsDisjoint(
      attached.device(), {.id = 0,
                          .deadline_ms = 0,
                          .priority = 0,
                          .is_disjoint = false,
                          .words = static_cast<const int32_t*>(words.data),
                          .count = words.length});
  return Napi::Boolean::New(info.Env(), is_disjoint);
}

// takeEnded(device, ids: Float64Array): how many
Napi::Value TakeEnded(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  if (attached.is_detached()) return Napi::Number::New(info.Env(), 0);
  const View ids = ViewOf(info.Env(), info[1]);
  const size_t count =
      attached.engine().TakeEnded(attached.device(), static_cast<double*>(ids.data), ids.length);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// takeShown(device, id, shown: Float64Array): how many. Two numbers each: buffer and version.
Napi::Value TakeShown(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  if (attached.is_detached()) return Napi::Number::New(info.Env(), 0);
  const View view = ViewOf(info.Env(), info[2]);
  static thread_local std::vector<engine::Shown> shown;
  shown.resize(view.length / 2);
  const size_t count =
      attached.engine().TakeShown(attached.device(), NumberOf(info[1]), shown.data(), shown.size());
  auto* numbers = static_cast<double*>(view.data);
  for (size_t i = 0; i < count; ++i) {
    *numbers++ = shown[i].buffer;
    *numbers++ = shown[i].version;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// waitForEnded(device, sliceMs)
void Wait(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  if (attached.is_detached()) return;
  attached.engine().Wait(attached.device(), NumberOf(info[1]));
}

}  // namespace

void AddEngine(Napi::Env env, Napi::Object exports) {
  const Napi::Object functions = Napi::Object::New(env);
  functions.Set("create", Napi::Function::New<CreateEngine>(env));
  functions.Set("number", Napi::Function::New<EngineNumber>(env));
  functions.Set("close", Napi::Function::New<CloseEngine>(env));
  functions.Set("setPlan", Napi::Function::New<SetPlan>(env));
  functions.Set("setClocks", Napi::Function::New<SetClocks>(env));
  functions.Set("setHyper", Napi::Function::New<SetHyper>(env));
  functions.Set("grow", Napi::Function::New<Grow>(env));
  functions.Set("lease", Napi::Function::New<Lease>(env));
  functions.Set("recall", Napi::Function::New<Recall>(env));
  functions.Set("callDevice", Napi::Function::New<CallDevice>(env));
  functions.Set("attach", Napi::Function::New<Attach>(env));
  functions.Set("detach", Napi::Function::New<Detach>(env));
  functions.Set("bind", Napi::Function::New<Bind>(env));
  functions.Set("unbind", Napi::Function::New<Unbind>(env));
  functions.Set("setKnown", Napi::Function::New<SetKnown>(env));
  functions.Set("submit", Napi::Function::New<Submit>(env));
  functions.Set("isDisjoint", Napi::Function::New<IsDisjoint>(env));
  functions.Set("takeEnded", Napi::Function::New<TakeEnded>(env));
  functions.Set("takeShown", Napi::Function::New<TakeShown>(env));
  functions.Set("wait", Napi::Function::New<Wait>(env));
  exports.Set("engine", functions);
}

}  // namespace tensorkv::binding
