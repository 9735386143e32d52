// The runtime of CUDA devices on the stand-in driver, threads standing for environments:
//
//   tensorkv_cuda_runtime_tests          all
//   tensorkv_cuda_runtime_tests calls ends  some parts
//
// TENSORKV_SEED replays the random programs; TENSORKV_CUDA_DRIVER and
// TENSORKV_NCCL name the stand-in.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "support.h"
#include "watchdog.h"

int main(int count, char** arguments) {
  using namespace tensorkv::test;
  const std::set<std::string> parts(arguments + 1, arguments + count);
  // In processes of their own, which have watchdogs of their own.
  if (parts.empty() || parts.contains("plain")) TestPlainMemory();
  if (parts.empty() || parts.contains("fit")) TestFit();
  Watchdog::Begin();
  if (count == 3 && std::strcmp(arguments[1], "reason") == 0) {
    TestReason(arguments[2]);
    return 0;
  }
  const char* const given = std::getenv("TENSORKV_SEED");
  const uint64_t seed =
      given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  std::printf("TENSORKV_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  // Broadcasts go to three and more, and some that are lost are not missed later.
  setenv("TENSORKV_STAND_IN_DEVICES", "6", 0);
  const std::string reason = tensorkv::cuda::MissingReason();
  if (!reason.empty()) std::fprintf(stderr, "%s\n", reason.c_str());
  CHECK(reason.empty());
  const auto runs = [&parts](const char* name) {
    Watchdog::Note();
    return parts.empty() || parts.contains(name);
  };
  if (runs("calls")) TestCalls();
  if (runs("decoding")) {
    TestDecoding();
    Watchdog::Note();
    TestDecodingOfRows();
    Watchdog::Note();
    TestDecodingOfWholeRules();
  }
  if (runs("programs")) TestPrograms(seed);
  if (runs("prepared")) TestPrepared();
  if (runs("ends")) TestEnds();
  if (runs("broadcasts")) TestBroadcasts(seed);
  if (parts.contains("mixed")) TestMixedDevices();
  if (parts.contains("frees")) TestFreesWithoutTheLock();
  // The last: they lose devices.
  if (runs("faults")) {
    TestBroadcastFaults();
    TestFaults();
  }
  std::printf("cuda runtime ok\n");
  return 0;
}
