#include <memory>
#include <thread>

#include "support.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

constexpr size_t kLength = 1 << 18;

// Who ends leaves work in flight; who shares an array with it sees all of that work.
void TestEndsInFlight() {
  Thread thread;
  const uint64_t id = thread->Allocate(0, kLength * 4);
  for (int round = 1; round <= 20; ++round) {
    std::thread([&] {
      Thread other;
      other->Retain(id);
      const uint64_t own = other->Allocate(0, kLength * 4);
      Words words;
      words.Fill(kLength, static_cast<float>(round), {own});
      words.Sum(kLength, {{own}}, {{id}});
      words.Run(other.operator->(), 0);
      // Its notes are for nobody.
      other->DownloadAsync(id, 0, kLength * 4);
      other->WhenReady(own);
    }).join();
    const std::vector<float> values = Read(thread, id, kLength);
    for (const float value : values) CHECK(value == static_cast<float>(round));
    Watchdog::Note();
  }
}

// What is released is used to its end, and then it is free again.
void TestReleasesInFlight() {
  Thread thread;
  const uint64_t sum = thread->Allocate(0, kLength * 4);
  const size_t before = UsedBytes(0);
  for (int round = 0; round < 20; ++round) {
    const uint64_t id = thread->Allocate(0, kLength * 4);
    Words().Fill(kLength, 1, {id}).Run(thread.operator->(), 0);
    {
      // The last reader is another's.
      Thread other;
      Words().Sum(kLength, {{sum}, {id}}, {{sum}}).Run(other.operator->(), 0);
    }
    thread->Release(id);
    // May get the same memory.
    const uint64_t next = thread->Allocate(0, kLength * 4);
    Words().Fill(kLength, 100, {next}).Run(thread.operator->(), 0);
    thread->Release(next);
    Watchdog::Note();
  }
  for (const float value : Read(thread, sum, kLength)) CHECK(value == 20);
  // Frees are queued too: another allocation after an allocation that does not fit waits for them.
  CHECK(CodeOf([&] { thread->Allocate(0, size_t{1} << 40); }) == "memory_limit");
  thread->Release(thread->Allocate(0, 4));
  CHECK(CodeOf([&] { thread->Allocate(0, size_t{1} << 40); }) == "memory_limit");
  CHECK(UsedBytes(0) <= before + (size_t{1} << 20));  // A plan's memory may have come.
}

// Room that was released a moment ago is there for the next.
void TestFullDevice() {
  Thread thread;
  const size_t limit = cuda::InfoOfDevice(0).total_bytes;
  const size_t bytes = limit / 2 + limit / 8;
  float value = 0;
  uint64_t id = thread->Allocate(0, bytes);
  CHECK(CodeOf([&] { thread->Allocate(0, bytes); }) == "memory_limit");
  thread->Upload(&value, sizeof(value), id, bytes - sizeof(value));
  for (int round = 0; round < 3; ++round) {
    thread->Release(id);
    id = thread->Allocate(0, bytes);
    Watchdog::Note();
  }
  // All that was there still works.
  Words().Fill(1, 7, {id}).Run(thread.operator->(), 0);
  CHECK(Read(thread, id, 1)[0] == 7);
  thread->Release(id);
}

}  // namespace

void TestEnds() {
  TestEndsInFlight();
  TestReleasesInFlight();
  TestFullDevice();
}

}  // namespace tensorkv::test
