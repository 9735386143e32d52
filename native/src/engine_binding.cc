// What JavaScript sees of the engine. native/engine.ts has the types and says what each call does.
#include <cmath>
#include <memory>
#include <string>

#include "binding.h"
#include "engine/engine.h"
#include "engine_handles.h"
#include "kernels.h"
#include "views.h"

#ifdef TENSORKV_CUDA
#include "cuda/engine_remote.h"
#endif

namespace tensorkv::binding {
namespace {

double NumberOf(Napi::Env env, const Napi::Value& value) {
  Require(env, value.IsNumber(), "Expected a number");
  return value.As<Napi::Number>().DoubleValue();
}

// The most devices and keys of a store, and tables of hyper-parameters.
constexpr double kMostRanks = 1 << 16;
constexpr double kMostKeys = 1 << 24;
// Numbers of buffers and of tensors that a device has bound.
constexpr double kMostNumbers = 1 << 28;
// Places for what each device has to say of each key.
constexpr size_t kMostLanes = size_t{1} << 30;

uint32_t IndexOf(Napi::Env env, const Napi::Value& value, double below) {
  return static_cast<uint32_t>(CountOf(env, value, below - 1));
}

// createEngine(ranks, consistency, staleness, cpu, updates: BigInt64Array, ended: Int32Array)
Napi::Value CreateEngine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t ranks = IndexOf(env, info[0], kMostRanks);
  Require(env, ranks > 0, "Expected a device");
  const auto consistency = static_cast<engine::Consistency>(IndexOf(env, info[1], 3));
  Require(env, info[3].IsString(), "Expected the name of an instruction set");
  const std::string name = info[3].As<Napi::String>();
  const KernelTable* kernels = nullptr;
  for (const Cpu cpu : kCpus) {
    const KernelTable* const found = KernelsFor(cpu);
    if (found != nullptr && name == NameOf(cpu)) kernels = found;
  }
  if (kernels == nullptr) throw Napi::TypeError::New(env, "No kernels for " + name);
  const View updates = SharedViewOf(env, info[4]);
  Require(env, updates.type == napi_bigint64_array && updates.length > 0, "Expected a counter");
  const View ended = SharedViewOf(env, info[5]);
  Require(env, ended.type == napi_int32_array && ended.length > 0, "Expected a word");
  const engine::Status status = {.updates = static_cast<int64_t*>(updates.data),
                                 .ended = static_cast<int32_t*>(ended.data)};
  auto engine =
      std::make_shared<Engine>(ranks, consistency, NumberOf(env, info[2]), kernels, status);
  const Napi::Array arrays = Napi::Array::New(env);
  arrays.Set(0u, info[4]);
  arrays.Set(1u, info[5]);
  return Hold(env, std::make_unique<Owned>(env, std::move(engine), arrays));
}

// engineNumber(engine)
Napi::Value EngineNumber(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), The<Owned>(info).number());
}

// closeEngine(engine)
void CloseEngine(const Napi::CallbackInfo& info) { The<Owned>(info).Close(); }

// The most CUDA devices of a process.
constexpr double kMostDevices = 1 << 16;

// The elements of a tensor: shared memory, or a place on a device.
struct Elements {
  void* data;
  napi_typedarray_type type;  // of shared memory
  size_t length;
  int device;
};

// What a `DeviceArray` is, else a typed array. Its dtype is not looked at: whoever queues work on a
// device knows how many bytes there are.
Elements ElementsOf(Napi::Env env, const Napi::Value& value) {
  if (!value.IsObject() || value.IsTypedArray()) {
    const View view = SharedViewOf(env, value);
    return {view.data, view.type, view.length, engine::kOnCpu};
  }
  const auto array = value.As<Napi::Object>();
  const size_t id = CountOf(env, array.Get("id"), engine::RemotePlace::kMostId);
  const size_t offset = CountOf(env, array.Get("byteOffset"), engine::RemotePlace::kMostOffset);
  return {engine::RemotePlace(id, offset).place(), napi_uint8_array,
          CountOf(env, array.Get("length")),
          static_cast<int>(IndexOf(env, array.Get("device"), kMostDevices))};
}

// A tensor that belongs to a stored one: of `type` where that is shared memory.
void* PartOf(Napi::Env env, const Napi::Value& value, const engine::Plan& plan,
             napi_typedarray_type type, bool has_length = true) {
  if (value.IsUndefined()) return nullptr;
  const Elements part = ElementsOf(env, value);
  Require(env, part.device == plan.device, "Expected tensors that are in one place");
  Require(env,
          (plan.device != engine::kOnCpu || part.type == type) &&
              (!has_length || part.length == plan.length),
          "Expected typed arrays of one type and length");
  return part.data;
}

// Keys of the engine are on CUDA devices.
void UseDevices([[maybe_unused]] Engine& engine) {
#ifdef TENSORKV_CUDA
  if (!engine.has_remote()) engine.UseRemote(cuda::MakeRemote());
#endif
}

// What a step needs beside the stored tensor. How many slots a rule of the whole tensor has, and
// how long they are, is known in JavaScript alone.
void AddStep(const Napi::CallbackInfo& info, const KernelTable& kernels, engine::Plan* plan) {
  const Napi::Env env = info.Env();
  plan->rule = IndexOf(env, info[9], static_cast<double>(*kernels.step_count));
  plan->step = &kernels.steps[plan->rule];
  Require(env, plan->step->run[static_cast<size_t>(plan->dtype)] != nullptr,
          "Expected a floating dtype");
  const napi_typedarray_type computed = ComputedTypeOf(plan->dtype);
  const Values slots(env, info[10]);
  const bool is_whole = plan->step->slots == kWhole;
  Require(env, is_whole || slots.size() == plan->step->slots, "Expected the slots of the rule");
  for (size_t k = 0; k < slots.size(); ++k) {
    void* const slot = PartOf(env, Napi::Value(env, slots[k]), *plan, computed, !is_whole);
    Require(env, slot != nullptr, "Expected a slot");
    plan->slots.push_back(slot);
  }
  plan->master = PartOf(env, info[11], *plan, computed);
  plan->average = PartOf(env, info[12], *plan, computed);
  plan->scratch_length = CountOf(env, info[13]);
  plan->hyper = IndexOf(env, info[14], kMostKeys);
  plan->count = NumberOf(env, info[15]);
}

// setPlan(engine, key, version, stored, storedNumber, other, otherNumber, access, dtype, rule,
//         slots, master, average, scratchLength, hyper, count)
void SetPlan(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = The<Owned>(info).engine();
  const uint32_t key = IndexOf(env, info[1], kMostKeys);
  Require(env, (size_t{key} + 1) * engine.ranks() <= kMostLanes, "Expected fewer keys");
  engine::Plan plan;
  plan.access = static_cast<engine::Access>(IndexOf(env, info[7], 4));
  plan.dtype = DtypeOf(env, info[8]);
  const Elements stored = ElementsOf(env, info[3]);
  plan.device = stored.device;
  plan.length = stored.length;
  plan.buffers[0] = PartOf(env, info[3], plan, TypeOf(plan.dtype));
  plan.buffers[1] = PartOf(env, info[5], plan, TypeOf(plan.dtype));
  if (plan.device != engine::kOnCpu) UseDevices(engine);
  if (plan.access == engine::Access::kStep) AddStep(info, engine.kernels(), &plan);
  const auto number = static_cast<engine::BufferId>(IndexOf(env, info[4], kMostNumbers));
  const auto other = info[5].IsUndefined()
                         ? engine::kNoBuffer
                         : static_cast<engine::BufferId>(IndexOf(env, info[6], kMostNumbers));
  const bool is_set = engine.SetPlan(key, std::move(plan), number, other, NumberOf(env, info[2]));
  Require(env, is_set, "Expected a store that is not leased");
}

// setClocks(engine, key, clocks: Float64Array), of a key that has a plan
void SetClocks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = The<Owned>(info).engine();
  const View clocks = SharedViewOf(env, info[2]);
  Require(env, clocks.type == napi_float64_array && clocks.length >= engine.ranks(),
          "Expected a clock for each device");
  const bool is_set =
      engine.SetClocks(IndexOf(env, info[1], kMostKeys), static_cast<double*>(clocks.data));
  Require(env, is_set, "Expected a key of a store that is not leased");
}

// Behind the rows of a table: as many as any rule looks for.
constexpr size_t kMostHyper = 32;

// setHyper(engine, table, first, isSteady, width, values: Float64Array)
void SetHyper(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = The<Owned>(info).engine();
  const View values = ViewOf(env, info[5], napi_float64_array);
  const size_t width = CountOf(env, info[4]);
  Require(env, width > 0, "Expected rows with hyper-parameters");
  const double* const data = static_cast<const double*>(values.data);
  engine::HyperTable table = {.first = NumberOf(env, info[2]),
                              .width = width,
                              .is_steady = IsTrue(env, info[3]),
                              .values = {data, data + values.length},
                              .rows = values.length / width};
  table.values.resize(values.length + kMostHyper);
  const bool is_set = engine.SetHyper(IndexOf(env, info[1], kMostKeys), std::move(table));
  Require(env, is_set, "Expected a store that is not leased");
}

// grow(engine, ranks)
void Grow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = The<Owned>(info).engine();
  Require(env, engine.Grow(IndexOf(env, info[1], kMostRanks)),
          "Expected a store that is not leased");
}

// Numbers of a pin: key, buffer, rank, how many.
constexpr size_t kPinLength = 4;

// lease(engine, live: number[], pins: Int32Array)
void Lease(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Engine& engine = The<Owned>(info).engine();
  const Values list(env, info[1]);
  std::vector<engine::Rank> live;
  const engine::Rank ranks = engine.ranks();
  std::vector<bool> is_live(ranks, false);
  for (size_t i = 0; i < list.size(); ++i) {
    const engine::Rank rank = IndexOf(env, Napi::Value(env, list[i]), ranks);
    Require(env, !is_live[rank], "Expected each rank once");
    is_live[rank] = true;
    live.push_back(rank);
  }
  const View view = ViewOf(env, info[2], napi_int32_array);
  const auto* words = static_cast<const int32_t*>(view.data);
  std::vector<engine::Pin> pins;
  for (size_t at = 0; at + kPinLength <= view.length; at += kPinLength, words += kPinLength) {
    pins.push_back({.key = static_cast<engine::KeyId>(words[0]),
                    .buffer = words[1],
                    .rank = static_cast<engine::Rank>(words[2]),
                    .count = static_cast<uint32_t>(words[3])});
  }
  engine.Lease(live, pins);
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
const char* KindOf(const engine::Ticket& ticket) {
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
        each.Set("type", KindOf(ticket));
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

// The rank of a device, or that of a coordinator.
engine::Rank RankOf(Napi::Env env, const Napi::Value& value, Engine& engine) {
  const auto rank = static_cast<engine::Rank>(CountOf(env, value, Engine::kCoordinator));
  Require(env, rank < engine.ranks() || rank == Engine::kCoordinator, "Expected a rank");
  return rank;
}

// callDevice(engine, rank)
void CallDevice(const Napi::CallbackInfo& info) {
  Engine& engine = The<Owned>(info).engine();
  engine.Call(RankOf(info.Env(), info[1], engine));
}

// attach(number, rank, heard): undefined where the engine is gone
Napi::Value Attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = static_cast<uint32_t>(CountOf(env, info[0], UINT32_MAX));
  Require(env, info[2].IsFunction(), "Expected a function");
  std::shared_ptr<Engine> engine = Registry::Get().Find(number);
  if (engine == nullptr) return env.Undefined();
  const engine::Rank rank = RankOf(env, info[1], *engine);
  return Hold(
      env, std::make_unique<Attached>(env, std::move(engine), rank, info[2].As<Napi::Function>()));
}

// detach(device)
void Detach(const Napi::CallbackInfo& info) { The<Attached>(info).Detach(); }

// From here on: a device that is detached has nothing, and does nothing.

// bind(device, number, elements, dtype)
void Bind(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const size_t number = IndexOf(env, info[1], kMostNumbers);
  const Dtype dtype = DtypeOf(env, info[3]);
  const Elements elements = ElementsOf(env, info[2]);
  Require(env, elements.device != engine::kOnCpu || elements.type == TypeOf(dtype),
          "Expected a typed array of another type");
  if (attached.is_detached()) return;
  std::vector<engine::Binding>& bindings = attached.device().bindings;
  if (number >= bindings.size()) bindings.resize(number * 2 + 16);
  const bool was_bound = bindings[number].data != nullptr;  // Else nobody knows words of it.
  bindings[number] = {.data = static_cast<char*>(elements.data),
                      .length = elements.length,
                      .dtype = dtype,
                      .device = elements.device};
  if (was_bound) ++attached.device().binding_changes;
}

// unbind(device, numbers): also such that were never bound here, of row-sparse tensors
void Unbind(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const Values numbers(env, info[1]);
  if (attached.is_detached()) return;
  std::vector<engine::Binding>& bindings = attached.device().bindings;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t number = IndexOf(env, Napi::Value(env, numbers[i]), kMostNumbers);
    if (number < bindings.size()) bindings[number] = {};
  }
  ++attached.device().binding_changes;
}

// setKnown(device, buffer, isKnown)
void SetKnown(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const size_t number = IndexOf(env, info[1], kMostNumbers);
  const bool is_known = IsTrue(env, info[2]);
  if (attached.is_detached()) return;
  std::vector<bool>& known = attached.device().known;
  if (number >= known.size()) known.resize(number * 2 + 16);
  known[number] = is_known;
}

// submit(device, heads: Float64Array, words: Int32Array, count, inlineBytes, lingers): how many
// were taken. A head is five numbers: id, deadline, priority, whether it is disjoint, how many
// words it has.
Napi::Value Submit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const View heads = ViewOf(env, info[1], napi_float64_array);
  const View all = ViewOf(env, info[2], napi_int32_array);
  const size_t count = CountOf(env, info[3]);
  Require(env, count <= heads.length / 5, "Expected a head for each request");
  const double bytes = NumberOf(env, info[4]);
  if (attached.is_detached()) return Napi::Number::New(env, 0);
  const double* head = static_cast<const double*>(heads.data);
  const int32_t* words = static_cast<const int32_t*>(all.data);
  size_t left = all.length;
  static thread_local std::vector<engine::Order> orders;
  orders.clear();
  for (size_t i = 0; i < count; ++i, head += 5) {
    Require(env, head[4] >= 0 && head[4] <= static_cast<double>(left) && !std::isnan(head[2]),
            "Expected the words of each request");
    const auto size = static_cast<size_t>(head[4]);
    orders.push_back({.id = head[0],
                      .deadline_ms = head[1],
                      .priority = head[2],
                      .is_disjoint = head[3] != 0,
                      .words = words,
                      .count = size});
    words += size;
    left -= size;
  }
  const bool has_limit = bytes >= 0 && bytes < 9007199254740992;
  const size_t budget = has_limit ? static_cast<size_t>(bytes) : Engine::kUnlimited;
  const size_t taken = attached.engine().Submit(attached.device(), orders.data(), count, budget,
                                                IsTrue(env, info[5]));
  return Napi::Number::New(env, static_cast<double>(taken));
}

// isDisjoint(device, words: Int32Array)
Napi::Value IsDisjoint(const Napi::CallbackInfo& info) {
  Attached& attached = The<Attached>(info);
  const View words = ViewOf(info.Env(), info[1], napi_int32_array);
  if (attached.is_detached()) return Napi::Boolean::New(info.Env(), false);
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
  const View ids = ViewOf(info.Env(), info[1], napi_float64_array);
  if (attached.is_detached()) return Napi::Number::New(info.Env(), 0);
  const size_t count = attached.device().inbox.Take(static_cast<double*>(ids.data), ids.length);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// takeShown(device, id, shown: Float64Array): how many. Two numbers each: buffer and version.
Napi::Value TakeShown(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const double id = NumberOf(env, info[1]);
  const View view = ViewOf(env, info[2], napi_float64_array);
  if (attached.is_detached()) return Napi::Number::New(env, 0);
  static thread_local std::vector<engine::Shown> shown;
  shown.resize(view.length / 2);
  const size_t count = attached.device().inbox.TakeShown(id, shown.data(), shown.size());
  auto* numbers = static_cast<double*>(view.data);
  for (size_t i = 0; i < count; ++i) {
    *numbers++ = shown[i].buffer;
    *numbers++ = shown[i].version;
  }
  return Napi::Number::New(env, static_cast<double>(count));
}

// A thread can be ended only between slices.
constexpr double kMostSliceMs = 1000;

// wait(device, sliceMs, ids: Float64Array): how many have ended
Napi::Value Wait(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Attached& attached = The<Attached>(info);
  const double slice_ms = NumberOf(env, info[1]);
  Require(env, slice_ms >= 0 && slice_ms <= kMostSliceMs, "Expected a short slice of time");
  const View ids = ViewOf(env, info[2], napi_float64_array);
  if (attached.is_detached()) return Napi::Number::New(env, 0);
  const size_t count = attached.engine().Wait(attached.device(), slice_ms,
                                              static_cast<double*>(ids.data), ids.length);
  return Napi::Number::New(env, static_cast<double>(count));
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
