// The engine's own tests without those of the kernels: what scripts/mutants.mjs runs.
#include "../test/suites.h"
#include "../test/watchdog.h"
#include "kernels.h"

int main() {
  tensorkv::test::Watchdog::Begin();
  tensorkv::test::TestInbox();
  tensorkv::test::TestRounds(2'000);
  tensorkv::test::TestDevices(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  tensorkv::test::TestEngine(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  tensorkv::test::TestRemote(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  return 0;
}
