#include <cmath>
#include <initializer_list>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

template <typename T>
struct State {
  T w, m;
};

// The formula of sgd_step.h, one element.
template <typename T>
State<T> Expected(T sum, State<T> before, bool has_momentum, const SgdHyper& hyper) {
  const T clip = static_cast<T>(hyper.clip);
  T g = sum * static_cast<T>(hyper.rescale);
  if (g < -clip) g = -clip;
  if (g > clip) g = clip;
  const T wd = static_cast<T>(hyper.wd);
  if (wd != 0) g = g + wd * before.w;
  const T step = static_cast<T>(hyper.lr) * g;
  if (!has_momentum) return {before.w - step, before.m};
  const T m = static_cast<T>(hyper.momentum) * before.m - step;
  return {before.w + m, m};
}

template <typename T>
void TestStep(KernelTable::SgdStep step, size_t length, size_t count, bool has_momentum,
              const SgdHyper& hyper) {
  std::vector<Array<T>> arrays;
  std::vector<const void*> inputs;
  for (size_t k = 0; k < count; ++k) arrays.emplace_back(length, k % 4, uint32_t(k + 1));
  for (const auto& array : arrays) inputs.push_back(array.data());
  Array<T> stored(length, 1, 100), momentum(length, 2, 200);

  std::vector<T> weights(length), momenta(length);
  for (size_t i = 0; i < length; ++i) {
    T sum = arrays[0][i];
    for (size_t k = 1; k < count; ++k) sum = sum + arrays[k][i];
    const State<T> after = Expected<T>(sum, {stored[i], momentum[i]}, has_momentum, hyper);
    weights[i] = after.w;
    momenta[i] = after.m;
  }
  step(inputs.data(), count, stored.data(), has_momentum ? momentum.data() : nullptr, hyper,
       length);
  CHECK(AreSame(stored, weights));
  CHECK(AreSame(momentum, momenta));
}

template <typename T>
void TestType(KernelTable::SgdStep step) {
  constexpr SgdHyper kHypers[] = {
      {.lr = 0.1, .momentum = 0.9, .wd = 0, .rescale = 1, .clip = INFINITY},
      {.lr = 0.1, .momentum = 0.9, .wd = 1e-4, .rescale = 1.0 / 3, .clip = 0.5},
  };
  for (const size_t length : kLengths)
    for (const size_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 33})
      for (const bool has_momentum : {false, true})
        for (const SgdHyper& hyper : kHypers) TestStep<T>(step, length, count, has_momentum, hyper);
}

}  // namespace

void TestSgdStep(const KernelTable& kernels) {
  TestType<float>(kernels.sgd_step[static_cast<size_t>(Dtype::kFloat32)]);
  TestType<double>(kernels.sgd_step[static_cast<size_t>(Dtype::kFloat64)]);
}

}  // namespace tensorkv::test
