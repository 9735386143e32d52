#include "emulator.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "../check.h"
#include "suites.h"

// The emulator's own: threads meet, and faults are found.
namespace tensorkv::test {
namespace {

// What a process says that runs the kernel, and whether it was aborted.
std::string MessageOf(const char* kernel, bool& aborted) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[1], 2);
    std::vector<uint64_t> memory(64);
    cuda::EmulateKernel(kernel, 1, 64, memory.data(), 0);
    _exit(0);
  }
  close(ends[1]);
  std::string message;
  char piece[256];
  for (ssize_t got = 1; got > 0;) {
    got = read(ends[0], piece, sizeof(piece));
    if (got > 0) message.append(piece, static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  aborted = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  return message;
}

void ExpectFault(const char* kernel, const char* words) {
  bool aborted = false;
  const std::string message = MessageOf(kernel, aborted);
  CHECK(aborted);
  if (message.find(words) == std::string::npos) std::fprintf(stderr, "%s\n", message.c_str());
  CHECK(message.find(words) != std::string::npos);
}

}  // namespace

void TestEmulator() {
  CHECK(!cuda::EmulateKernel("tensorkv_unknown", 1, 1, nullptr, 0));
  constexpr uint32_t kThreads = 128, kBlocks = 3;
  std::vector<uint32_t> values(kBlocks * kThreads);
  CHECK(cuda::EmulateKernel("tensorkv_sound_neighbours", kBlocks, kThreads, values.data(), 0));
  for (uint32_t i = 0; i < values.size(); ++i) {
    const uint32_t thread = i % kThreads;
    const uint32_t lane = thread / 32 * 32 + (thread + 31) % 32;
    CHECK(values[i] == (lane + 1) % kThreads);
  }
  ExpectFault("tensorkv_broken_divergent", "a barrier that not all threads of a block reach");
  ExpectFault("tensorkv_broken_two_places", "a barrier that not all threads of a block reach");
  ExpectFault("tensorkv_broken_shuffle", "a shuffle that not all threads of a warp reach");
  ExpectFault("tensorkv_broken_unaligned", "a vector that is not aligned");
  ExpectFault("tensorkv_broken_meeting", "is said to have none");
}

}  // namespace tensorkv::test
