#include <algorithm>

#include "binding.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

// As many as any rule looks for; those that were not given are zeros.
constexpr size_t kMostHyper = 32;

void RequireRows(Napi::Env env, const View& rows, size_t row_length, size_t stored_length) {
  const auto* const begin = static_cast<const int64_t*>(rows.data);
  const size_t count = row_length == 0 ? 0 : stored_length / row_length;
  for (size_t i = 0; i < rows.length && row_length > 0; ++i) {
    Require(env, static_cast<uint64_t>(begin[i]) < count, "Expected rows of the tensor");
  }
}

// The address of an argument that may be undefined, as long as the stored tensor.
void* OptionalAddress(const Napi::CallbackInfo& info, size_t index, const View& like) {
  if (info[index].IsUndefined()) return nullptr;
  const View view = ViewOf(info.Env(), info[index], like.type);
  Require(info.Env(), view.length == like.length, "Expected typed arrays of one length");
  return view.data;
}

// step(rule, dtype, inputs, stored, slots, hyper, rowLength, master | undefined,
//      scratch | undefined, average | undefined, rows | undefined)
// How many slots and how much scratch a rule of the whole tensor needs is known in JavaScript
// alone.
void Step(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const StepKernel& rule =
      Table(info).steps[CountOf(env, info[0], static_cast<double>(*Table(info).step_count - 1))];
  const Dtype dtype = DtypeOf(env, info[1]);
  const auto run = rule.run[static_cast<size_t>(dtype)];
  Require(env, run != nullptr, "Expected a floating dtype");
  const Values input_list(env, info[2]), slot_list(env, info[4]);
  Require(env, input_list.size() > 0, "Expected an input");
  const View stored = ViewOf(env, info[3], TypeOf(dtype));
  const View computed = {ComputedTypeOf(dtype), stored.length, nullptr};
  const size_t row_length = CountOf(env, info[6]);
  View rows = {napi_bigint64_array, 0, nullptr};
  size_t length = stored.length;
  if (!info[10].IsUndefined()) {
    rows = ViewOf(env, info[10], rows.type);
    RequireRows(env, rows, row_length, stored.length);
    const bool overflows = __builtin_mul_overflow(rows.length, row_length, &length);
    Require(env, !overflows, "Expected fewer rows");
  }
  const Addresses inputs(env, input_list, stored.type, length);
  inputs.RequireApartFrom(env, stored, rows.data != nullptr);
  std::array<void*, 8> slots;
  Require(env, slot_list.size() <= slots.size(), "Expected fewer slots");
  Require(env, rule.slots == kWhole || slot_list.size() == rule.slots,
          "Expected the slots of the rule");
  for (size_t k = 0; k < slot_list.size(); ++k) {
    const View slot = ViewOf(env, slot_list[k], computed.type);
    Require(env, rule.slots == kWhole || slot.length == stored.length,
            "Expected typed arrays of one length");
    RequireApart(env, slot, stored);
    slots[k] = slot.data;
  }
  const View given = ViewOf(env, info[5], napi_float64_array);
  double hyper[kMostHyper] = {};
  std::copy_n(static_cast<const double*>(given.data), std::min(given.length, kMostHyper), hyper);
  const StepArguments arguments = {
      .inputs = inputs.data(),
      .count = inputs.size(),
      .stored = stored.data,
      .master = OptionalAddress(info, 7, computed),
      .slots = slots.data(),
      .scratch = info[8].IsUndefined() ? nullptr : ViewOf(env, info[8], computed.type).data,
      .average = OptionalAddress(info, 9, computed),
      .rows = static_cast<const int64_t*>(rows.data),
      .row_length = row_length,
      .hyper = hyper,
      .length = length};
  run(arguments);
}

}  // namespace

void AddStep(Napi::Env env, Napi::Object kernels, void* table) {
  kernels["step"] = Napi::Function::New<Step>(env, "step", table);
}

}  // namespace tensorkv::binding
