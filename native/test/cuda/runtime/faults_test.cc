#include <thread>

#include "support.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

// Each call of the driver fails once, and what was there is there.
void TestFailingCalls() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 400), b = thread->Allocate(1, 400);
  Words().Fill(100, 1, {a}).Run(thread.operator->(), 0);
  thread->Copy(a, 0, b, 0, 400);
  const auto fails = [&](const char* fault, const char* code, auto call) {
    FailLater(fault);
    CHECK(CodeOf(call) == code);
    CHECK(Read(thread, a, 100) == std::vector<float>(100, 1));
    Watchdog::Note();
  };
  const size_t used = UsedBytes(0);
  // Its second try comes after what was released.
  FailLater("cuMemAllocAsync:1:2");
  thread->Release(thread->Allocate(0, 4));
  fails("cuMemsetD8Async:1:1", "cuda_unavailable", [&] { thread->Allocate(0, 4); });
  fails("cuMemcpyHtoDAsync:1:1", "cuda_unavailable", [&] { thread->Upload("1234", 4, b, 0); });
  fails("cuMemcpyDtoHAsync:1:1", "cuda_unavailable", [&] { Read(thread, a, 1); });
  fails("cuMemcpyPeerAsync:1:1", "cuda_unavailable", [&] { thread->Copy(a, 0, b, 0, 4); });
  const std::vector<char> many(size_t{8} << 20);
  const uint64_t large = thread->Allocate(1, many.size());
  fails("cuMemHostAlloc:1:2,cuMemHostAlloc:2:2", "memory_limit",
        [&] { thread->Upload(many.data(), many.size(), large, 0); });
  fails("cuLaunchKernel:1:1", "cuda_unavailable",
        [&] { Words().Fill(100, 1, {a}).Run(thread.operator->(), 0); });
  // Memory for a plan is asked for twice, then once more behind what was released.
  FailLater("cuMemAllocAsync:1:2,cuMemAllocAsync:2:2");
  Words().Fill(100, 1, {b}).Run(thread.operator->(), 1);
  fails("cuStreamAddCallback:1:1", "cuda_unavailable", [&] { thread->WhenReady(a); });
  fails("cuMemAlloc:1:2,cuMemAlloc:2:2", "memory_limit", [&] { thread->Export(a); });
  // Where it lay, it still lies.
  const cuda::Address address = thread->InfoOf(a).address;
  fails("cuMemcpyDtoDAsync:1:1", "cuda_unavailable", [&] { thread->Export(a); });
  CHECK(thread->InfoOf(a).address == address);
  thread->Synchronize(0);
  thread->Release(thread->Allocate(0, 4));
  CHECK(UsedBytes(0) <= used + 512);
}

// A context that cannot be made the current one is not taken away either: the stand-in ends the
// process then.
void TestFailingContexts() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 400);
  const auto fails = [&](auto call) {
    FailLater("cuCtxPushCurrent:1:1");
    CHECK(CodeOf(call) == "cuda_unavailable");
  };
  fails([&] { thread->Synchronize(0); });
  fails([&] { thread->Upload("1234", 4, a, 0); });
  fails([&] { Read(thread, a, 1); });
  fails([&] { Words().Fill(1, 1, {a}).Run(thread.operator->(), 0); });
  fails([&] { thread->WhenReady(a); });
  fails([&] { cuda::InfoOfDevice(0); });
  // Who lets go of something hears of nothing.
  FailLater("cuCtxPushCurrent:1:1");
  thread->Release(a);
  {
    Thread other;
    other->Allocate(0, 400);
    FailLater("cuCtxPushCurrent:1:1");
  }
  const uint64_t b = thread->Allocate(0, 400);
  CHECK(Read(thread, b, 100) == std::vector<float>(100, 0));
}

// An error that sticks loses a device for good: who waits and who comes hears of it, others go on.
void TestLostDevice() {
  Thread thread, other;
  const uint64_t a = thread->Allocate(0, 400), b = thread->Allocate(1, 400);
  const uint64_t c = other->Allocate(0, 400);
  Words().Fill(100, 1, {b}).Run(thread.operator->(), 1);
  const uint64_t before = thread->WhenReady(a);
  CHECK(thread.Await(before).error.empty());
  CHECK(Read(thread, b, 100) == std::vector<float>(100, 1));  // No kernel is on its way.
  FailLater("kernel:1:700");
  // It is lost before or after it is asked for more.
  std::string error;
  try {
    Words().Fill(100, 1, {a}).Run(thread.operator->(), 0);
    error = thread.Await(thread->DownloadAsync(a, 0, 400)).error;
  } catch (const cuda::Failure& failure) {
    CHECK(failure.code() == cuda::FailureCode::kPeerDead);
    error = failure.what();
  }
  CHECK(error.find("CUDA device 0 is lost") != std::string::npos);
  CHECK(error.find("700") != std::string::npos ||
        error.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos);
  CHECK(CodeOf([&] { thread->Synchronize(0); }) == "peer_dead");
  for (const auto& code :
       {CodeOf([&] { thread->Allocate(0, 4); }), CodeOf([&] { Read(thread, a, 1); }),
        CodeOf([&] { thread->Upload("1234", 4, a, 0); }), CodeOf([&] { thread->WhenReady(a); }),
        CodeOf([&] { thread->DownloadAsync(a, 0, 4); }), CodeOf([&] { other->Retain(a); }),
        CodeOf([&] { thread->Copy(a, 0, b, 0, 4); }), CodeOf([&] { thread->Copy(b, 0, a, 0, 4); }),
        CodeOf([&] { other->InfoOf(c); }), CodeOf([&] { other->Export(c); }),
        CodeOf([&] { Words().Fill(1, 1, {c}).Run(other.operator->(), 0); }),
        CodeOf([&] { cuda::InfoOfDevice(0); })}) {
    CHECK(code == "peer_dead");
  }
  // What they hold there can be let go of.
  thread->Release(a);
  CHECK(Read(thread, b, 100) == std::vector<float>(100, 1));
  CHECK(thread.Await(thread->WhenReady(b)).error.empty());
  {
    Thread third;
    const uint64_t d = third->Allocate(1, 400);
    third->Copy(b, 0, d, 0, 400);
    CHECK(Read(third, d, 100) == std::vector<float>(100, 1));
    CHECK(CodeOf([&] { third->Allocate(0, 4); }) == "peer_dead");
  }
}

// The last device goes while others are at work on it: everybody hears of it.
void TestLostWhileBusy() {
  FailLater("kernel:40:719");
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([] {
      Thread thread;
      bool is_lost = false;
      while (!is_lost) {
        try {
          const uint64_t id = thread->Allocate(1, 4000);
          Words().Fill(1000, 1, {id}).Run(thread.operator->(), 1);
          is_lost = !thread.Await(thread->DownloadAsync(id, 0, 4000)).error.empty();
          if (!is_lost) thread->Release(id);
        } catch (const cuda::Failure& failure) {
          CHECK(failure.code() == cuda::FailureCode::kPeerDead);
          is_lost = true;
        }
        Watchdog::Note();
      }
      CHECK(CodeOf([&] { thread->Allocate(1, 4); }) == "peer_dead");
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void TestFaults() {
  TestFailingCalls();
  TestFailingContexts();
  TestLostDevice();
  TestLostWhileBusy();
}

}  // namespace tensorkv::test
