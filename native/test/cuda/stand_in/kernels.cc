#include <cstring>

#include "../emulator.h"
#include "stand_in.h"

// The kernels that tests load as their own: PTX that names one of them as an entry is as good as
// any.
namespace tensorkv::cuda::stand_in {
namespace {

template <typename T>
T ArgumentOf(const std::vector<char>& bytes) {
  T value = {};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// scale(float* x, float factor, int n): x[i] *= factor
void Scale(const std::vector<std::vector<char>>& arguments) {
  auto* const x = ArgumentOf<float*>(arguments[0]);
  const auto factor = ArgumentOf<float>(arguments[1]);
  for (int i = 0; i < ArgumentOf<int>(arguments[2]); ++i) x[i] *= factor;
}

// add(const double* x, double* y, double a, long long n): y[i] += a * x[i]
void Add(const std::vector<std::vector<char>>& arguments) {
  const auto* const x = ArgumentOf<const double*>(arguments[0]);
  auto* const y = ArgumentOf<double*>(arguments[1]);
  const auto a = ArgumentOf<double>(arguments[2]);
  for (int64_t i = 0; i < ArgumentOf<int64_t>(arguments[3]); ++i) y[i] += a * x[i];
}

}  // namespace

bool ParametersOf(const std::string& name, std::vector<size_t>* sizes) {
  if (name == "scale") {
    *sizes = {8, 4, 4};
  } else if (name == "add") {
    *sizes = {8, 8, 8, 8};
  } else if (name == "fault" || name == "hold") {
    *sizes = {};
  } else if (name.starts_with("tensorkv_")) {
    *sizes = {8, 8};
  } else {
    return false;
  }
  return true;
}

bool RunKernel(const std::string& name, const unsigned* grid, const unsigned* block,
               const std::vector<std::vector<char>>& arguments) {
  if (name == "fault") return false;
  if (name == "hold") {
    HoldGate().Pass();
    return true;
  }
  if (name == "scale") {
    Scale(arguments);
    return true;
  }
  if (name == "add") {
    Add(arguments);
    return true;
  }
  return EmulateKernel(name.c_str(), grid[0], block[0], ArgumentOf<void*>(arguments[0]),
                       ArgumentOf<uint64_t>(arguments[1]));
}

}  // namespace tensorkv::cuda::stand_in
