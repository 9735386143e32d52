#include <cmath>
#include <cstdint>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

template <typename To, typename From>
To Expected(From x) {
  if constexpr (std::is_same_v<To, int32_t> && !std::is_same_v<From, int32_t>) {
    if (std::isnan(x)) return 0;
    if (x >= 2147483648.0) return INT32_MAX;
    if (x <= -2147483649.0) return INT32_MIN;
  }
  return static_cast<To>(x);
}

template <typename From, typename To>
void TestPair(const KernelTable& kernels, Dtype from, Dtype to) {
  const auto cast = kernels.cast[static_cast<size_t>(from)][static_cast<size_t>(to)];
  for (const size_t length : kLengths) {
    Array<From> source(length, 1);
    const From edges[] = {From(2147483520), From(-2147483648.0), From(0.5), From(-1.5)};
    for (size_t i = 0; i < length && i < 4; ++i) source[i] = edges[i];
    std::vector<To> expected(length);
    for (size_t i = 0; i < length; ++i) expected[i] = Expected<To>(source[i]);
    Array<To> out(length, 3);
    cast(source.data(), out.data(), length);
    CHECK(AreSame(out, expected));
  }
}

template <typename From>
void TestFrom(const KernelTable& kernels, Dtype from) {
  TestPair<From, float>(kernels, from, Dtype::kFloat32);
  TestPair<From, double>(kernels, from, Dtype::kFloat64);
  TestPair<From, int32_t>(kernels, from, Dtype::kInt32);
}

// Every pair of types on arrays that end where their memory ends; integers and halves of any bits.
void TestEveryPair(const KernelTable& kernels) {
  constexpr size_t kBytes[kDtypeCount] = {4, 8, 2, 2, 1, 1, 4, 8};
  for (size_t from = 0; from < kDtypeCount; ++from) {
    for (size_t to = 0; to < kDtypeCount; ++to) {
      for (const size_t length : {0, 1, 7, 64, 1003}) {
        const Array<uint8_t> source(length * kBytes[from], 0, static_cast<uint32_t>(from + 1));
        Array<uint8_t> out(length * kBytes[to]);
        kernels.cast[from][to](source.data(), out.data(), length);
      }
    }
  }
}

}  // namespace

void TestCast(const KernelTable& kernels) {
  TestEveryPair(kernels);
  TestFrom<float>(kernels, Dtype::kFloat32);
  TestFrom<double>(kernels, Dtype::kFloat64);
  TestFrom<int32_t>(kernels, Dtype::kInt32);
}

}  // namespace tensorkv::test
