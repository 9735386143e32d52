#include <cstdio>

#include "kernels.h"
#include "suites.h"

// The engine, and the kernels against plain loops at every level of this machine. Meant to run
// under sanitizers.
int main() {
  tensorkv::test::TestInbox();
  tensorkv::test::TestRounds(20'000);
  tensorkv::test::TestDevices(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  tensorkv::test::TestEngine(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  tensorkv::test::TestRemote(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  for (const tensorkv::Cpu cpu : tensorkv::kCpus) {
    const tensorkv::KernelTable* const kernels = tensorkv::KernelsFor(cpu);
    if (kernels == nullptr) continue;
    tensorkv::test::TestReduceSum(*kernels);
    tensorkv::test::TestCompression(*kernels);
    tensorkv::test::TestSteps(*kernels);
    tensorkv::test::TestCopy(*kernels);
    tensorkv::test::TestCast(*kernels);
    tensorkv::test::TestHalf(*kernels);
    tensorkv::test::TestIsFinite(*kernels);
    tensorkv::test::TestRows(*kernels);
    tensorkv::test::TestThreads(*kernels);
    std::printf("%s ok  ", tensorkv::NameOf(cpu));
  }
  std::printf("\n");
  return 0;
}
