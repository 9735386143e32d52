#include <cstdint>
#include <initializer_list>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

void TestLength(const KernelTable& kernels, size_t length, size_t count) {
  Array<uint8_t> source(length, 1);
  const std::vector<uint8_t> expected(source.data(), source.data() + length);
  std::vector<Array<uint8_t>> arrays;
  for (size_t k = 0; k < count; ++k) arrays.emplace_back(length, k + 1, 99);
  std::vector<void*> outs;
  for (auto& array : arrays) outs.push_back(array.data());
  outs.push_back(source.data());  // itself: nothing to do

  kernels.copy(source.data(), outs.data(), outs.size(), length);
  for (const auto& array : arrays) CHECK(AreSame(array, expected));
  kernels.copy(source.data(), outs.data(), 1, length);
  CHECK(AreSame(arrays[0], expected));
}

}  // namespace

void TestCopy(const KernelTable& kernels) {
  for (const size_t length : kLengths)
    for (const size_t count : {1, 2, 3, 9}) TestLength(kernels, length, count);
  for (const size_t length : {8191, 8192, 8193, 16385})
    for (const size_t count : {2, 3, 7, 33}) TestLength(kernels, length, count);
  // Long enough for stores past the cache, each out at its own distance from a line's start. The
  // last tile is longer than that distance, then shorter.
  for (const size_t rest : {77, 5}) TestLength(kernels, (size_t{6} << 20) + rest, 2);
}

}  // namespace tensorkv::test
