// What several threads may do at once, without the tests of what the kernels compute:
//
//   tensorkv_engine_tests             as scripts/mutants.mjs runs it
//   tensorkv_engine_tests SCHEDULES   more of the engine's decisions
#include <cstdint>
#include <cstdlib>

#include "../test/suites.h"
#include "../test/watchdog.h"
#include "kernels.h"

int main(int count, char** arguments) {
  using namespace tensorkv::test;
  const tensorkv::KernelTable& kernels = *tensorkv::KernelsFor(tensorkv::Cpu::kBaseline);
  Watchdog::Begin();
  TestInbox();
  Watchdog::Note();
  TestRounds(count > 1 ? static_cast<uint32_t>(std::strtoul(arguments[1], nullptr, 10)) : 2'000);
  Watchdog::Note();
  TestDevices(kernels);
  Watchdog::Note();
  TestEngine(kernels);
  Watchdog::Note();
  TestRemote(kernels);
  Watchdog::Note();
  TestThreads(kernels);
  return 0;
}
