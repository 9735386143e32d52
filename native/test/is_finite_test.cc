#include <cstdint>
#include <limits>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

template <typename T>
void TestType(const KernelTable& kernels, Dtype dtype) {
  using Limits = std::numeric_limits<T>;
  const auto is_finite = kernels.is_finite[static_cast<size_t>(dtype)];
  for (const size_t length : kLengths) {
    Array<T> source(length, 1);
    const T numbers[] = {Limits::max(), Limits::lowest(), Limits::denorm_min(), T{0}, -T{0}};
    for (size_t i = 0; i < length; ++i) source[i] = numbers[i % 5];
    CHECK(is_finite(source.data(), length));
    for (const T strange : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
      for (const size_t at : {size_t{0}, length / 2, length - 1}) {
        if (at >= length) continue;
        const T before = source[at];
        source[at] = strange;
        CHECK(!is_finite(source.data(), length));
        source[at] = before;
      }
    }
  }
}

}  // namespace

void TestIsFinite(const KernelTable& kernels) {
  TestType<float>(kernels, Dtype::kFloat32);
  TestType<double>(kernels, Dtype::kFloat64);
  const Array<int32_t> integers(1000);
  CHECK(kernels.is_finite[static_cast<size_t>(Dtype::kInt32)](integers.data(), 1000));
}

}  // namespace tensorkv::test
