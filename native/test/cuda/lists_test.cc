#include "run_plan.h"
#include "suites.h"
#include "values.h"

// Operations of which element i of the outs is made of element i of the inputs.
namespace tensorkv::test {
namespace {

using cuda::Code;
using cuda::Operation;

constexpr size_t kLengthsOfLists[] = {0, 1, 3, 64, 1023, 4099};

void TestSum(const KernelTable& kernels, Dtype dtype, size_t length, size_t offset,
             Random& random) {
  for (const size_t count : {1, 2, 3, 9, 17}) {
    std::vector<Elements> inputs;
    std::vector<const void*> addresses;
    Operation sum = Of(Code::kSum, dtype, length);
    for (size_t k = 0; k < count; ++k) inputs.emplace_back(dtype, length, offset).Fill(random);
    Elements outs[] = {{dtype, length, offset}, {dtype, length, offset}};
    for (const Elements& each : inputs) {
      addresses.push_back(each.data());
      sum.inputs.push_back(each.operand());
    }
    for (const Elements& each : outs) sum.outs.push_back(each.operand());
    Elements expected(dtype, length);
    kernels.reduce_sum[static_cast<size_t>(dtype)](addresses.data(), count, expected.data(),
                                                   length);
    RunPlan(std::span(&sum, 1));
    for (const Elements& each : outs) CHECK(each.IsSame(expected));
    // In place, into the first and the last of the inputs.
    sum.outs = {inputs[0].operand(), inputs[count - 1].operand()};
    RunPlan(std::span(&sum, 1));
    CHECK(inputs[0].IsSame(expected) && inputs[count - 1].IsSame(expected));
  }
}

void TestCasts(const KernelTable& kernels, Dtype from, size_t length, size_t offset,
               Random& random) {
  Elements source(from, length, offset);
  source.Fill(random);
  for (size_t k = 0; k < kDtypeCount; ++k) {
    const auto to = static_cast<Dtype>(k);
    Elements out(to, length, offset), expected(to, length);
    Operation cast = Of(Code::kCast, from, length);
    cast.to = to;
    cast.inputs = {source.operand()};
    cast.outs = {out.operand()};
    kernels.cast[static_cast<size_t>(from)][k](source.data(), expected.data(), length);
    RunPlan(std::span(&cast, 1));
    CHECK(out.IsSame(expected));
  }
}

void TestFill(Dtype dtype, size_t length, size_t offset) {
  Elements out(dtype, length, offset), expected(dtype, length);
  Operation fill = Of(Code::kFill, dtype, length);
  fill.scalar.bits = static_cast<int64_t>(0x8182838485868788);
  fill.outs = {out.operand()};
  for (size_t i = 0; i < length; ++i) expected.Set(i, 0x8182838485868788);
  RunPlan(std::span(&fill, 1));
  CHECK(std::memcmp(out.data(), expected.data(), out.bytes()) == 0);
}

}  // namespace

void TestCudaLists(const KernelTable& kernels) {
  Random random(1);
  for (size_t k = 0; k < kDtypeCount; ++k) {
    const auto dtype = static_cast<Dtype>(k);
    for (const size_t length : kLengthsOfLists) {
      for (const size_t offset : {0, 1, 8}) {
        TestSum(kernels, dtype, length, offset, random);
        TestCasts(kernels, dtype, length, offset, random);
        TestFill(dtype, length, offset);
      }
    }
  }
}

}  // namespace tensorkv::test
