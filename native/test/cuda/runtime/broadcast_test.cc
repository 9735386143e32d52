#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "support.h"
#include "watchdog.h"

// One array to several devices. The stand-in has more devices than other tests use: see main.cc.
namespace tensorkv::test {
namespace {

using Place = cuda::Environment::Place;

std::vector<unsigned char> BytesOf(Thread& thread, uint64_t id, size_t bytes) {
  std::vector<unsigned char> out(bytes);
  thread->Download(id, 0, out.data(), bytes);
  return out;
}

std::vector<unsigned char> RandomBytes(std::mt19937_64& random, size_t bytes) {
  std::vector<unsigned char> values(bytes);
  for (unsigned char& value : values) value = static_cast<unsigned char>(random());
  return values;
}

void TestWhatIsSent(uint64_t seed) {
  std::mt19937_64 random(seed);
  Thread thread;
  const size_t before = Broadcasts();
  constexpr size_t kRoom = 70'000;
  std::vector<uint64_t> ids;
  for (int device = 0; device < 4; ++device) ids.push_back(thread->Allocate(device, kRoom));
  size_t sent = 0;
  for (const size_t bytes : {1, 2, 3, 8, 255, 4096, 65'536, 69'990}) {
    for (const size_t source : {0, 2, 3}) {
      std::vector<std::vector<unsigned char>> expected;
      for (const uint64_t id : ids) {
        expected.push_back(RandomBytes(random, kRoom));
        thread->Upload(expected.back().data(), kRoom, id, 0);
      }
      const size_t from = random() % (kRoom - bytes + 1);
      std::vector<Place> outs;
      for (size_t k = 0; k < ids.size(); ++k) {
        if (k == source || (bytes == 4096 && k == 1)) continue;
        outs.push_back({ids[k], random() % (kRoom - bytes + 1)});
        std::copy_n(expected[source].begin() + static_cast<ptrdiff_t>(from), bytes,
                    expected[k].begin() + static_cast<ptrdiff_t>(outs.back().offset));
      }
      std::ranges::shuffle(outs, random);
      thread->Broadcast(ids[source], from, outs, bytes);
      ++sent;
      for (size_t k = 0; k < ids.size(); ++k) CHECK(BytesOf(thread, ids[k], kRoom) == expected[k]);
      Watchdog::Note();
    }
  }
  CHECK(Broadcasts() == before + sent);
  CHECK(cuda::InfoOfNccl().version == "2.27.3" && cuda::InfoOfNccl().reason.empty());
}

void TestCallsOfBroadcast() {
  Thread thread;
  const auto allocate = [&](int device) { return thread->Allocate(device, 400); };
  const uint64_t a = allocate(0), b = allocate(1), c = allocate(2), d = allocate(2),
                 e = allocate(0);
  Words().Fill(100, 7, {a}).Run(thread.operator->(), 0);
  const size_t before = Broadcasts();
  // One device, or none, needs no broadcast.
  thread->Broadcast(a, 0, {}, 400);
  thread->Broadcast(a, 0, std::vector<Place>{{b, 4}}, 396);
  thread->Broadcast(a, 0, std::vector<Place>{{c, 0}, {d, 0}, {e, 0}, {a, 0}}, 400);
  thread->Broadcast(a, 0, std::vector<Place>{{b, 0}, {c, 0}}, 0);
  CHECK(Broadcasts() == before);
  CHECK(Read(thread, b, 1)[0] == 0);
  CHECK(Read(thread, b, 99, 4) == std::vector<float>(99, 7));
  for (const uint64_t id : {c, d, e}) CHECK(Read(thread, id, 100) == std::vector<float>(100, 7));
  // Several arrays of one device, and of the source's.
  Words().Fill(100, 8, {a}).Run(thread.operator->(), 0);
  thread->Broadcast(a, 200, std::vector<Place>{{c, 0}, {d, 200}, {b, 0}, {e, 0}, {c, 200}}, 200);
  CHECK(Broadcasts() == before + 1);
  for (const auto& [id, offset] : std::vector<Place>{{c, 0}, {d, 200}, {b, 0}, {e, 0}, {c, 200}}) {
    CHECK(Read(thread, id, 50, offset) == std::vector<float>(50, 8));
  }
  CHECK(Read(thread, d, 50) == std::vector<float>(50, 7));
  for (const auto& outs : {std::vector<Place>{{b, 1}, {c, 0}}, std::vector<Place>{{b, 0}, {c, 401}},
                           std::vector<Place>{{b, SIZE_MAX}, {c, 0}}}) {
    CHECK(CodeOf([&] { thread->Broadcast(a, 0, outs, 400); }) == "bad_argument");
  }
  CHECK(CodeOf([&] { thread->Broadcast(a, 1, std::vector<Place>{{b, 0}, {c, 0}}, 400); }) ==
        "bad_argument");
  thread->Release(d);
  CHECK(CodeOf([&] { thread->Broadcast(a, 0, std::vector<Place>{{b, 0}, {d, 0}}, 4); }) ==
        "peer_dead");
  CHECK(Read(thread, b, 50) == std::vector<float>(50, 8));
}

// What another process has is copied as before.
void TestImported() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 400), b = thread->Allocate(1, 400);
  const uint64_t shared = thread->Allocate(2, 400);
  const uint64_t same = thread->Import(2, thread->Export(shared), 400);
  Words().Fill(100, 9, {a}).Run(thread.operator->(), 0);
  const size_t before = Broadcasts();
  thread->Broadcast(a, 0, std::vector<Place>{{b, 0}, {same, 0}}, 400);
  CHECK(Broadcasts() == before);
  CHECK(Read(thread, same, 100) == std::vector<float>(100, 9));
  thread->Broadcast(a, 0, std::vector<Place>{{b, 0}, {shared, 0}}, 400);
  CHECK(Broadcasts() == before + 1);
  thread->Release(same);
}

// Broadcasts come after all that was queued before, on every device, and before all that is queued
// after: sums of what they bring are as if all ran in turn.
void TestOrder() {
  constexpr size_t kLength = 20'000;
  Thread thread;
  std::vector<uint64_t> sums, copies;
  for (int device = 0; device < 4; ++device) {
    copies.push_back(thread->Allocate(device, kLength * 4));
    sums.push_back(thread->Allocate(device, kLength * 4));
  }
  float expected = 0;
  for (int round = 1; round <= 40; ++round) {
    const auto source = static_cast<size_t>(round % 4);
    Words()
        .Fill(kLength, static_cast<float>(round), {copies[source]})
        .Run(thread.operator->(), static_cast<int>(source));
    std::vector<Place> outs;
    for (size_t k = 0; k < copies.size(); ++k) {
      if (k != source) outs.push_back({copies[k], 0});
    }
    thread->Broadcast(copies[source], 0, outs, kLength * 4);
    expected += static_cast<float>(round);
    for (size_t k = 0; k < copies.size(); ++k) {
      Words words;
      words.Sum(kLength, {{sums[k]}, {copies[k]}}, {{sums[k]}});
      // The next broadcast may not bring its array too early.
      words.Fill(kLength, -1000, {copies[k]}).Run(thread.operator->(), static_cast<int>(k));
    }
    Watchdog::Note();
  }
  for (const uint64_t id : sums) {
    CHECK(Read(thread, id, kLength) == std::vector<float>(kLength, expected));
  }
}

// Who waits for a device waits for what was sent there.
void TestSynchronize() {
  constexpr size_t kLength = 100'000;
  Thread thread;
  const uint64_t a = thread->Allocate(3, kLength * 4), b = thread->Allocate(0, kLength * 4);
  const uint64_t c = thread->Allocate(1, kLength * 4);
  for (int round = 1; round <= 10; ++round) {
    Words().Fill(kLength, static_cast<float>(round), {a}).Run(thread.operator->(), 3);
    thread->Broadcast(a, 0, std::vector<Place>{{b, 0}, {c, 0}}, kLength * 4);
    for (const auto& [device, id] : {std::pair{0, b}, std::pair{1, c}}) {
      thread->Synchronize(device);
      // Memory of the stand-in's devices is memory of the host.
      const auto* const values = reinterpret_cast<const float*>(thread->InfoOf(id).address);
      CHECK(std::all_of(values, values + kLength,
                        [&](float value) { return value == static_cast<float>(round); }));
    }
    Watchdog::Note();
  }
}

// Threads broadcast between devices that they share, in sets of their own, and end in the midst.
void TestThreads(uint64_t seed) {
  std::vector<std::thread> threads;
  const size_t before = Broadcasts();
  for (uint64_t number = 0; number < 4; ++number) {
    threads.emplace_back([number, seed] {
      std::mt19937_64 random(seed * 7 + number);
      for (int life = 0; life < 3; ++life) {
        Thread thread;
        constexpr size_t kLength = 3000;
        std::vector<uint64_t> ids;
        for (int device = 0; device < 4; ++device) {
          ids.push_back(thread->Allocate(device, kLength * 4));
        }
        for (int round = 1; round <= 15; ++round) {
          const size_t source = random() % 4, left = random() % 6;
          const auto value = static_cast<float>(random() % 1000);
          Words()
              .Fill(kLength, value, {ids[source]})
              .Run(thread.operator->(), static_cast<int>(source));
          std::vector<Place> outs;
          for (size_t k = 0; k < ids.size(); ++k) {
            if (k != source && k != left) outs.push_back({ids[k], 0});
          }
          thread->Broadcast(ids[source], 0, outs, kLength * 4);
          // Pinned memory of sizes that nobody has: it is made while others broadcast.
          if (round % 5 == 0) {
            const std::vector<char> many((size_t{1} << 20) * (1 + random() % 5));
            const uint64_t large = thread->Allocate(1, many.size());
            thread->Upload(many.data(), many.size(), large, 0);
            thread->Release(large);
          }
          const Place& out = outs[random() % outs.size()];
          if (random() % 3 != 0) continue;
          CHECK(Read(thread, out.id, kLength) == std::vector<float>(kLength, value));
          Watchdog::Note();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Broadcasts() > before);
  CHECK(cuda::InfoOfNccl().reason.empty());
  // One for each set of three devices, and one for all.
  CHECK(Communicators() <= 5);
}

}  // namespace

void TestBroadcasts(uint64_t seed) {
  TestWhatIsSent(seed);
  TestCallsOfBroadcast();
  TestImported();
  TestOrder();
  TestSynchronize();
  TestThreads(seed);
}

namespace {

// A device that is lost in the midst of a broadcast takes those along that it leaves without what
// was on its way; all others go on, and broadcast.
void TestLostInTheMidst() {
  constexpr size_t kLength = 1000;
  Thread thread, other;
  std::vector<uint64_t> ids;
  for (int device = 0; device < 6; ++device) ids.push_back(thread->Allocate(device, kLength * 4));
  for (const int device : {2, 3, 4, 5}) thread->Synchronize(device);
  const std::vector<Place> outs = {{ids[4], 0}, {ids[5], 0}};
  thread->Broadcast(ids[3], 0, outs, kLength * 4);
  for (const int device : {3, 4, 5}) thread->Synchronize(device);
  const uint64_t note = thread->WhenReady(ids[2]);
  CHECK(thread.Await(note).error.empty());
  // What comes before it on device 4 fails, most likely when it was launched on all.
  FailLater("kernel:200:700");
  std::string error;
  try {
    for (int k = 0; k < 200; ++k) Words().Fill(kLength, 1, {ids[4]}).Run(thread.operator->(), 4);
    thread->Broadcast(ids[3], 0, outs, kLength * 4);
    const uint64_t last = other->DownloadAsync(ids[5], 0, kLength * 4);
    CHECK(CodeOf([&] { Read(other, ids[5], kLength); }) == "peer_dead");
    error = other.Await(last).error;
    CHECK(error.find("CUDA device 5 is lost: a broadcast with CUDA device 4") == 0);
    CHECK(CodeOf([&] { thread->Synchronize(3); }) == "peer_dead");
  } catch (const cuda::Failure& failure) {
    CHECK(failure.code() == cuda::FailureCode::kPeerDead);
    error = failure.what();
  }
  CHECK(error.find("is lost") != std::string::npos);
  CHECK(CodeOf([&] { thread->Broadcast(ids[0], 0, outs, 4); }) == "peer_dead");
  CHECK(cuda::InfoOfNccl().reason.empty());
  // Those that were not in it are there.
  const size_t before = Broadcasts();
  Words().Fill(kLength, 3, {ids[0]}).Run(thread.operator->(), 0);
  thread->Broadcast(ids[0], 0, std::vector<Place>{{ids[1], 0}, {ids[2], 0}}, kLength * 4);
  CHECK(Broadcasts() == before + 1);
  CHECK(Read(thread, ids[2], kLength) == std::vector<float>(kLength, 3));
  Watchdog::Note();
}

// A broadcast that some devices begin and others never do: the arrays are copied, and all that
// comes later too.
void TestFailingBroadcast() {
  constexpr size_t kLength = 1000;
  Thread thread;
  std::vector<uint64_t> ids;
  for (int device = 0; device < 3; ++device) ids.push_back(thread->Allocate(device, kLength * 4));
  const std::vector<Place> outs = {{ids[1], 0}, {ids[2], 0}};
  const size_t before = Broadcasts();
  for (int round = 1; round <= 5; ++round) {
    if (round == 3) FailLater("ncclGroupEnd:1:1");
    Words().Fill(kLength, static_cast<float>(round), {ids[0]}).Run(thread.operator->(), 0);
    thread->Broadcast(ids[0], 0, outs, kLength * 4);
    const std::vector<float> expected(kLength, static_cast<float>(round));
    if (round == 2) continue;  // Still on its way when the next one fails.
    for (const Place& out : outs) CHECK(Read(thread, out.id, kLength) == expected);
    Watchdog::Note();
  }
  CHECK(Broadcasts() == before + 2);
  CHECK(cuda::InfoOfNccl().reason == "a broadcast failed with unhandled cuda error");
}

}  // namespace

void TestBroadcastFaults() {
  TestLostInTheMidst();
  TestFailingBroadcast();
}

}  // namespace tensorkv::test
