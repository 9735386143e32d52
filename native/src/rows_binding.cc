#include <vector>

#include "binding.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

IdList IdsOf(Napi::Env env, napi_value value) {
  const View ids = ViewOf(env, value);
  const int64_t* const begin = static_cast<const int64_t*>(ids.data);
  return {begin, begin + ids.length};
}

// unionIds(lists, out): a number
Napi::Value Union(const Napi::CallbackInfo& info) {
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<IdList> lists(list.Length());
  for (uint32_t k = 0; k < lists.size(); ++k) lists[k] = IdsOf(info.Env(), list.Get(k));
  const View out = ViewOf(info.Env(), info[1]);
  const size_t count =
      Table(info).union_ids(lists.data(), lists.size(), static_cast<int64_t*>(out.data));
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// sumRows(lists of ids, lists of rows, outIds, outRows, rowLength, dtype)
void Sum(const Napi::CallbackInfo& info) {
  const Napi::Array ids = info[0].As<Napi::Array>();
  const Napi::Array rows = info[1].As<Napi::Array>();
  std::vector<RowInput> inputs(ids.Length());
  for (uint32_t k = 0; k < inputs.size(); ++k) {
    inputs[k] = {IdsOf(info.Env(), ids.Get(k)),
                 static_cast<const char*>(ViewOf(info.Env(), rows.Get(k)).data)};
  }
  std::vector<const void*> matching(inputs.size());
  const View out_ids = ViewOf(info.Env(), info[2]);
  const View out_rows = ViewOf(info.Env(), info[3]);
  const size_t row_length = static_cast<size_t>(info[4].As<Napi::Number>().Int64Value());
  Table(info).sum_rows({.inputs = inputs.data(),
                        .count = inputs.size(),
                        .out_ids = static_cast<const int64_t*>(out_ids.data),
                        .out_count = out_ids.length,
                        .out_rows = static_cast<char*>(out_rows.data),
                        .row_length = row_length,
                        .row_bytes = row_length * BytesPerElement(out_rows.type),
                        .sum = Table(info).reduce_sum[info[5].As<Napi::Number>().Uint32Value()],
                        .matching = matching.data()});
}

// gatherRows(source, positions, out, rowBytes) and scatterRows(source, positions, target, rowBytes)
void Move(const Napi::CallbackInfo& info, KernelTable::MoveRows kernel) {
  const View positions = ViewOf(info.Env(), info[1]);
  kernel(static_cast<const char*>(ViewOf(info.Env(), info[0]).data),
         static_cast<const int64_t*>(positions.data), positions.length,
         static_cast<char*>(ViewOf(info.Env(), info[2]).data),
         static_cast<size_t>(info[3].As<Napi::Number>().Int64Value()));
}

void Gather(const Napi::CallbackInfo& info) { Move(info, Table(info).gather_rows); }

void Scatter(const Napi::CallbackInfo& info) { Move(info, Table(info).scatter_rows); }

// findRows(table, present, ids, out): a number
Napi::Value Find(const Napi::CallbackInfo& info) {
  const View slots = ViewOf(info.Env(), info[0]);
  const View present = ViewOf(info.Env(), info[1]);
  const View ids = ViewOf(info.Env(), info[2]);
  const View out = ViewOf(info.Env(), info[3]);
  const RowTable table = {static_cast<const int32_t*>(slots.data), slots.length,
                          static_cast<const int64_t*>(present.data), present.length};
  const size_t absent = Table(info).find_rows(table, static_cast<const int64_t*>(ids.data),
                                              ids.length, static_cast<int64_t*>(out.data));
  return Napi::Number::New(info.Env(), static_cast<double>(absent));
}

}  // namespace

void AddRows(Napi::Env env, Napi::Object kernels, void* table) {
  kernels["unionIds"] = Napi::Function::New<Union>(env, "unionIds", table);
  kernels["sumRows"] = Napi::Function::New<Sum>(env, "sumRows", table);
  kernels["gatherRows"] = Napi::Function::New<Gather>(env, "gatherRows", table);
  kernels["scatterRows"] = Napi::Function::New<Scatter>(env, "scatterRows", table);
  kernels["findRows"] = Napi::Function::New<Find>(env, "findRows", table);
}

}  // namespace tensorkv::binding
