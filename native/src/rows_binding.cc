#include <vector>

#include "binding.h"
#include "kernels.h"
#include "views.h"

namespace tensorkv::binding {
namespace {

View IdViewOf(Napi::Env env, napi_value value) { return ViewOf(env, value, napi_bigint64_array); }

IdList ListOf(const View& ids) {
  const int64_t* const begin = static_cast<const int64_t*>(ids.data);
  return {begin, begin + ids.length};
}

void RequireBytes(Napi::Env env, const View& view, size_t count, size_t row_bytes) {
  size_t bytes;
  const bool overflows = __builtin_mul_overflow(count, row_bytes, &bytes);
  Require(env, !overflows && view.bytes() == bytes, "Expected one row an id");
}

// unionIds(lists, out): a number
Napi::Value Union(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Values values(env, info[0]);
  const View out = IdViewOf(env, info[1]);
  std::vector<IdList> lists(values.size());
  size_t total = 0;
  for (size_t k = 0; k < lists.size(); ++k) {
    const View ids = IdViewOf(env, values[k]);
    RequireApart(env, ids, out);
    total += ids.length;
    lists[k] = ListOf(ids);
  }
  Require(env, out.length >= total, "Expected room for all ids");
  const size_t count =
      Table(info).union_ids(lists.data(), lists.size(), static_cast<int64_t*>(out.data));
  return Napi::Number::New(env, static_cast<double>(count));
}

// sumRows(lists of ids, lists of rows, outIds, outRows, rowLength, dtype)
void Sum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Dtype dtype = DtypeOf(env, info[5]);
  const Values ids(env, info[0]), rows(env, info[1]);
  Require(env, ids.size() == rows.size(), "Expected rows for each list of ids");
  const View out_ids = IdViewOf(env, info[2]);
  const View out_rows = ViewOf(env, info[3], TypeOf(dtype));
  const size_t row_length = CountOf(env, info[4], 1e15);
  const size_t row_bytes = row_length * BytesPerElement(out_rows.type);
  RequireBytes(env, out_rows, out_ids.length, row_bytes);
  RequireApart(env, out_ids, out_rows);
  std::vector<RowInput> inputs(ids.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    const View input_ids = IdViewOf(env, ids[k]);
    const View input_rows = ViewOf(env, rows[k], out_rows.type);
    RequireBytes(env, input_rows, input_ids.length, row_bytes);
    RequireApart(env, input_ids, out_rows);
    RequireApart(env, input_rows, out_rows);
    inputs[k] = {ListOf(input_ids), static_cast<const char*>(input_rows.data)};
  }
  std::vector<const void*> matching(inputs.size());
  Table(info).sum_rows({.inputs = inputs.data(),
                        .count = inputs.size(),
                        .out_ids = static_cast<const int64_t*>(out_ids.data),
                        .out_count = out_ids.length,
                        .out_rows = static_cast<char*>(out_rows.data),
                        .row_length = row_length,
                        .row_bytes = row_bytes,
                        .sum = Table(info).reduce_sum[static_cast<size_t>(dtype)],
                        .matching = matching.data()});
}

// Each position is at least `least` and that of a row of `rows`.
void RequirePositions(Napi::Env env, const View& positions, const View& rows, size_t row_bytes,
                      int64_t least) {
  if (row_bytes == 0) return;
  const auto* const begin = static_cast<const int64_t*>(positions.data);
  const auto count = static_cast<int64_t>(rows.bytes() / row_bytes);
  for (size_t i = 0; i < positions.length; ++i) {
    Require(env, begin[i] >= least && begin[i] < count, "Expected positions of rows");
  }
}

// gatherRows(source, positions, out, rowBytes)
void Gather(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View source = ViewOf(env, info[0]), positions = IdViewOf(env, info[1]);
  const View out = ViewOf(env, info[2], source.type);
  const size_t row_bytes = CountOf(env, info[3]);
  RequireBytes(env, out, positions.length, row_bytes);
  RequireApart(env, source, out);
  RequireApart(env, positions, out);
  RequirePositions(env, positions, source, row_bytes, -1);
  Table(info).gather_rows(static_cast<const char*>(source.data),
                          static_cast<const int64_t*>(positions.data), positions.length,
                          static_cast<char*>(out.data), row_bytes);
}

// scatterRows(source, positions, target, rowBytes)
void Scatter(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View source = ViewOf(env, info[0]), positions = IdViewOf(env, info[1]);
  const View target = ViewOf(env, info[2], source.type);
  const size_t row_bytes = CountOf(env, info[3]);
  RequireBytes(env, source, positions.length, row_bytes);
  RequireApart(env, source, target);
  RequireApart(env, positions, target);
  RequirePositions(env, positions, target, row_bytes, 0);
  Table(info).scatter_rows(static_cast<const char*>(source.data),
                           static_cast<const int64_t*>(positions.data), positions.length,
                           static_cast<char*>(target.data), row_bytes);
}

// findRows(table, present, ids, out): a number
Napi::Value Find(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View slots = ViewOf(env, info[0], napi_int32_array);
  const View present = IdViewOf(env, info[1]);
  const View ids = IdViewOf(env, info[2]);
  const View out = IdViewOf(env, info[3]);
  Require(env, slots.length > 0 && (slots.length & (slots.length - 1)) == 0,
          "Expected a table whose length is a power of two");
  Require(env, out.length == ids.length, "Expected typed arrays of one length");
  for (const View& each : {slots, present, ids}) RequireApart(env, each, out);
  const RowTable table = {static_cast<const int32_t*>(slots.data), slots.length,
                          static_cast<const int64_t*>(present.data), present.length};
  const size_t absent = Table(info).find_rows(table, static_cast<const int64_t*>(ids.data),
                                              ids.length, static_cast<int64_t*>(out.data));
  return Napi::Number::New(env, static_cast<double>(absent));
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
