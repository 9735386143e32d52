#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

constexpr size_t kThreads = 4;
constexpr size_t kLength = 40'000;
// No multiple of a vector: a store past the end of a range lands in the next thread's.
constexpr size_t kRange = kLength / kThreads - 1;
constexpr size_t kFloat = static_cast<size_t>(Dtype::kFloat32);

struct Arrays {
  Array<float> a{kLength, 0, 1}, b{kLength, 0, 2}, w{kLength, 0, 3}, m{kLength, 0, 4};
  Array<float> sum{kLength}, copied{kLength}, other{kLength};
  Array<int32_t> cast{kLength};
};

const StepKernel& StepNamed(const KernelTable& kernels, const char* name) {
  size_t k = 0;
  while (std::strcmp(kernels.steps[k].name, name) != 0) ++k;
  return kernels.steps[k];
}

void RunRange(const KernelTable& kernels, Arrays& arrays, size_t begin, size_t length) {
  const double hyper[] = {1, INFINITY, 0, 0, 0.1, 0.9};
  void* slots[] = {arrays.m.data() + begin};
  const void* inputs[9];
  for (size_t k = 0; k < 9; ++k) inputs[k] = (k % 2 ? arrays.b : arrays.a).data() + begin;
  void* outs[] = {arrays.copied.data() + begin, arrays.other.data() + begin};
  kernels.reduce_sum[kFloat](inputs, 9, arrays.sum.data() + begin, length);
  const StepArguments step = {.inputs = inputs,
                              .count = 2,
                              .stored = arrays.w.data() + begin,
                              .master = nullptr,
                              .slots = slots,
                              .scratch = nullptr,
                              .average = nullptr,
                              .rows = nullptr,
                              .row_length = 0,
                              .hyper = hyper,
                              .length = length};
  StepNamed(kernels, "sgdMomentum").run[kFloat](step);
  kernels.copy(arrays.sum.data() + begin, outs, 2, length * sizeof(float));
  kernels.cast[kFloat][static_cast<size_t>(Dtype::kInt32)](arrays.sum.data() + begin,
                                                           arrays.cast.data() + begin, length);
}

template <typename T>
void CheckSame(const Array<T>& actual, const Array<T>& expected) {
  for (size_t i = 0; i < kLength; ++i) CHECK(IsSame(actual[i], expected[i]));
}

}  // namespace

void TestThreads(const KernelTable& kernels) {
  Arrays whole, parts;
  RunRange(kernels, whole, 0, kLength);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    const size_t begin = t * kRange;
    const size_t end = t + 1 == kThreads ? kLength : begin + kRange;
    threads.emplace_back(
        [&kernels, &parts, begin, end] { RunRange(kernels, parts, begin, end - begin); });
  }
  for (std::thread& thread : threads) thread.join();
  CheckSame(parts.sum, whole.sum);
  CheckSame(parts.w, whole.w);
  CheckSame(parts.m, whole.m);
  CheckSame(parts.copied, whole.copied);
  CheckSame(parts.other, whole.other);
  CheckSame(parts.cast, whole.cast);
}

}  // namespace tensorkv::test
