#include <cstdint>
#include <initializer_list>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

template <typename T>
T Plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(uint64_t(a) + uint64_t(b));
  return a + b;
}

template <typename T>
void TestSum(KernelTable::ReduceSum sum, size_t length, size_t count, bool in_place) {
  std::vector<Array<T>> arrays;
  std::vector<const void*> inputs;
  for (size_t k = 0; k < count; ++k) arrays.emplace_back(length, k % 4, uint32_t(k + 1));
  for (const auto& array : arrays) inputs.push_back(array.data());
  // The last input twice: inputs may repeat.
  inputs.push_back(inputs.back());

  std::vector<T> expected(length);
  for (size_t i = 0; i < length; ++i) {
    T total = arrays[0][i];
    for (size_t k = 1; k < count; ++k) total = Plus(total, arrays[k][i]);
    expected[i] = Plus(total, arrays[count - 1][i]);
  }
  Array<T> separate(length, 3);
  Array<T>& out = in_place ? arrays[count - 1] : separate;
  sum(inputs.data(), inputs.size(), out.data(), length);
  CHECK(AreSame(out, expected));
}

template <typename T>
void TestType(const KernelTable& kernels, Dtype dtype) {
  const auto sum = kernels.reduce_sum[static_cast<size_t>(dtype)];
  for (const size_t length : kLengths)
    for (const size_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 33})
      for (const bool in_place : {false, true}) TestSum<T>(sum, length, count, in_place);
}

}  // namespace

void TestReduceSum(const KernelTable& kernels) {
  TestType<float>(kernels, Dtype::kFloat32);
  TestType<double>(kernels, Dtype::kFloat64);
  TestType<int8_t>(kernels, Dtype::kInt8);
  TestType<uint8_t>(kernels, Dtype::kUint8);
  TestType<int32_t>(kernels, Dtype::kInt32);
  TestType<int64_t>(kernels, Dtype::kInt64);
}

}  // namespace tensorkv::test
