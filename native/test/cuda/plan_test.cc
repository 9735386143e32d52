#include <cstdio>
#include <cstdlib>

#include "run_plan.h"
#include "suites.h"
#include "values.h"

// How operations become launches.
namespace tensorkv::test {
namespace {

using cuda::Code;
using cuda::Operation;

constexpr Dtype kFloat = Dtype::kFloat32;

Operation SumOf(std::vector<cuda::Operand> inputs, std::vector<cuda::Operand> outs, size_t length) {
  Operation sum{};
  sum.code = Code::kSum;
  sum.dtype = kFloat;
  sum.length = length;
  sum.inputs = std::move(inputs);
  sum.outs = std::move(outs);
  return sum;
}

size_t RuleCalled(const KernelTable& kernels, const char* name) {
  for (size_t k = 0; k < *kernels.step_count; ++k)
    if (std::strcmp(kernels.steps[k].name, name) == 0) return k;
  std::abort();
}

Operation StepOf(size_t rule, const Elements& gradient, const Elements& stored,
                 const Elements& slot) {
  Operation step{};
  step.code = Code::kStep;
  step.dtype = kFloat;
  step.rule = rule;
  step.length = stored.length();
  step.inputs = {gradient.operand()};
  step.stored = stored.operand();
  step.slots = {slot.operand()};
  step.hyper = {1, 1e9, 0, 0, 0.1, 0.9};
  return step;
}

Operation FillOf(const Elements& out, Dtype dtype, int64_t bits) {
  Operation fill{};
  fill.code = Code::kFill;
  fill.dtype = dtype;
  fill.length = out.length();
  fill.outs = {out.operand()};
  fill.scalar.bits = bits;
  return fill;
}

size_t LaunchesOf(const std::vector<Operation>& operations) {
  return cuda::PlanOf(operations).launches.size();
}

void TestMerging(const KernelTable& kernels) {
  Random random(5);
  constexpr size_t kLength = 100;
  std::vector<Elements> a, b, c;
  for (size_t k = 0; k < 4; ++k) {
    a.emplace_back(kFloat, kLength).FillTame(random);
    b.emplace_back(kFloat, kLength).FillTame(random);
    c.emplace_back(kFloat, kLength).FillTame(random);
  }
  const auto sum = [&](size_t x, size_t y, const Elements& out) {
    return SumOf({a[x].operand(), b[y].operand()}, {out.operand()}, kLength);
  };
  // A shared input keeps nothing apart.
  CHECK(LaunchesOf({sum(0, 0, c[0]), sum(0, 1, c[1])}) == 1);
  // What reads, writes or overwrites what another one writes or reads comes behind it.
  CHECK(LaunchesOf({sum(0, 0, c[0]), sum(1, 1, c[0])}) == 2);
  CHECK(LaunchesOf({sum(0, 0, a[1]), sum(1, 1, c[0])}) == 2);
  CHECK(LaunchesOf({sum(0, 0, c[0]), sum(1, 1, a[0])}) == 2);
  CHECK(LaunchesOf({sum(0, 0, a[0]), sum(1, 1, a[1])}) == 1);
  // Half of an array is written.
  cuda::Operand half = c[0].operand();
  half.bytes /= 2;
  const Operation into_half = SumOf({a[0].operand(), b[0].operand()}, {half}, kLength / 2);
  CHECK(LaunchesOf({into_half, sum(1, 1, c[0])}) == 2);
  CHECK(LaunchesOf({into_half, sum(1, 1, c[1])}) == 1);

  // Steps, and pulls of what they store: one launch, in any order of keys.
  const size_t momentum = RuleCalled(kernels, "sgdMomentum");
  std::vector<Elements> outs;
  for (size_t k = 0; k < 4; ++k) outs.emplace_back(kFloat, kLength);
  std::vector<Operation> operations;
  for (size_t k = 0; k < 4; ++k) {
    operations.push_back(StepOf(momentum, a[k], b[k], c[k]));
    operations.push_back(SumOf({b[k].operand()}, {outs[k].operand()}, kLength));
  }
  CHECK(LaunchesOf(operations) == 1);
  // Into the gradient itself: a pushpull in place.
  operations.resize(1);
  operations.push_back(SumOf({b[0].operand()}, {a[0].operand()}, kLength));
  CHECK(RunPlan(operations) == 1);
  CHECK(a[0].IsSame(b[0]));
  // Not into what another step reads, and not into the slot of the same.
  operations.push_back(StepOf(momentum, a[1], b[1], c[1]));
  operations.push_back(SumOf({b[1].operand()}, {a[0].operand()}, kLength));
  CHECK(LaunchesOf(operations) > 1);
  CHECK(LaunchesOf({StepOf(momentum, a[2], b[2], c[2]),
                    SumOf({b[2].operand()}, {c[2].operand()}, kLength)}) == 2);
  // A longer list of small keys is one launch too.
  const Elements many(kFloat, 40'000), grads(kFloat, 40'000), slots(kFloat, 40'000);
  std::vector<Operation> long_list;
  for (size_t k = 0; k < 5000; ++k) {
    Operation step = StepOf(momentum, grads, many, slots);
    step.length = 8;
    for (cuda::Operand* const each : {&step.inputs[0], &step.stored, &step.slots[0]}) {
      each->address += (k * 2741 % 5000) * 32;
      each->bytes = 32;
    }
    long_list.push_back(step);
  }
  CHECK(LaunchesOf(long_list) == 1);
}

// Random lists of operations on a few arrays give the same as one by one.
void TestRandomLists(const KernelTable& kernels, uint32_t seed) {
  Random random(seed);
  constexpr size_t kArrays = 12, kLength = 150;
  std::vector<Elements> arrays;
  for (size_t k = 0; k < kArrays; ++k) {
    arrays.emplace_back(kFloat, kLength, k % 2).FillTame(random);
  }
  const size_t rules[] = {RuleCalled(kernels, "sgdMomentum"), RuleCalled(kernels, "lars")};
  std::vector<Operation> operations;
  for (size_t n = random.Next() % 20; n-- > 0;) {
    // Distinct arrays, from a random one on; one in four works on parts of them.
    const size_t first = random.Next() % kArrays;
    const auto at = [&](size_t k) -> Elements& { return arrays[(first + k) % kArrays]; };
    switch (random.Next() % 5) {
      case 0:
        operations.push_back(SumOf({at(0).operand()}, {at(1).operand(), at(2).operand()}, kLength));
        break;
      case 1:
        operations.push_back(
            SumOf({at(0).operand(), at(1).operand()}, {at(random.Next() % 3).operand()}, kLength));
        break;
      case 2: {
        Operation scale = SumOf({at(0).operand()}, {at(0).operand()}, kLength);
        scale.code = Code::kMultiplyNumber;
        scale.scalar.number = 0.5;
        operations.push_back(scale);
        break;
      }
      default:
        operations.push_back(StepOf(rules[random.Next() % 2], at(0), at(1), at(2)));
        if (random.Next() % 2 == 0) {
          operations.push_back(
              SumOf({at(1).operand()}, {at(random.Next() % 2 == 0 ? 0 : 3).operand()}, kLength));
        }
    }
    if (random.Next() % 4 == 0) {
      Operation& last = operations.back();
      if (last.code != Code::kSum) continue;
      last.length = kLength / 3;
      for (auto* const list : {&last.inputs, &last.outs})
        for (cuda::Operand& each : *list) each.bytes = last.length * 4;
    }
  }
  const std::vector<Elements> before = arrays;
  RunPlan(operations);
  const std::vector<Elements> merged = arrays;
  for (size_t k = 0; k < kArrays; ++k) {
    std::memcpy(arrays[k].data(), before[k].data(), before[k].bytes());
  }
  for (const Operation& each : operations) RunPlan(std::span(&each, 1));
  for (size_t k = 0; k < kArrays; ++k) {
    if (merged[k].IsSame(arrays[k])) continue;
    std::fprintf(stderr, "A list of operations gives something else: TENSORKV_SEED=%u\n", seed);
    std::abort();
  }
}

// Of what is filled, the size of an element alone matters.
void TestFills() {
  const Dtype dtypes[][2] = {{Dtype::kFloat32, Dtype::kInt32},
                             {Dtype::kFloat64, Dtype::kInt64},
                             {Dtype::kFloat16, Dtype::kBfloat16},
                             {Dtype::kInt8, Dtype::kUint8}};
  for (const auto& [one, other] : dtypes) {
    const Elements a(one, 7), b(other, 9);
    const std::vector<Operation> fills = {FillOf(a, one, 3), FillOf(b, other, 5)};
    CHECK(RunPlan(fills) == 1);
    const size_t bytes = ElementBytes(one);
    CHECK(a.data()[0] == 3 && a.data()[6 * bytes] == 3);
    CHECK(b.data()[0] == 5 && b.data()[8 * bytes] == 5);
  }
  const Elements a(Dtype::kFloat32, 4), b(Dtype::kFloat64, 4);
  CHECK(LaunchesOf({FillOf(a, Dtype::kFloat32, 1), FillOf(b, Dtype::kFloat64, 1)}) == 2);
}

}  // namespace

void TestPlans(const KernelTable& kernels) {
  TestMerging(kernels);
  TestFills();
  const char* const given = std::getenv("TENSORKV_SEED");
  if (given != nullptr) {
    return TestRandomLists(kernels, static_cast<uint32_t>(std::strtoul(given, nullptr, 10)));
  }
  for (uint32_t seed = 1; seed <= 300; ++seed) TestRandomLists(kernels, seed);
}

}  // namespace tensorkv::test
