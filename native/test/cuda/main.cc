#include <cstdio>

#include "kernels.h"
#include "suites.h"

// What is planned for a GPU, on the CPU.
int main() {
  const tensorkv::KernelTable& kernels = *tensorkv::KernelsFor(tensorkv::Cpu::kBaseline);
  tensorkv::test::TestEmulator();
  tensorkv::test::TestCudaLists(kernels);
  tensorkv::test::TestCudaSteps(kernels);
  tensorkv::test::TestCudaOthers(kernels);
  tensorkv::test::TestPlans(kernels);
  std::printf("cuda ok\n");
  return 0;
}
