// The engine's own tests without those of the kernels: what scripts/mutants.mjs runs.
#include "../test/suites.h"
#include "kernels.h"

int main() {
  tensorkv::test::TestInbox();
  tensorkv::test::TestRounds();
  tensorkv::test::TestEngine(*tensorkv::KernelsFor(tensorkv::Cpu::kBaseline));
  return 0;
}
