#pragma once

#include "kernels.h"

// The parts of tensorkv_cuda_tests. Each compares the kernels of CUDA, run by the emulator, with
// those of the CPU, and aborts at the first difference.
namespace tensorkv::test {

void TestCudaLists(const KernelTable& kernels);
void TestCudaSteps(const KernelTable& kernels);
void TestCudaOthers(const KernelTable& kernels);
void TestPlans(const KernelTable& kernels);
void TestEmulator();

}  // namespace tensorkv::test
