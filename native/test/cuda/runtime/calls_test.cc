#include "support.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

void CheckAll(const std::vector<float>& values, float expected) {
  for (const float value : values) CHECK(value == expected);
}

void TestCopies() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 4000), b = thread->Allocate(1, 4000);
  CheckAll(Read(thread, a, 1000), 0);
  const std::vector<float> ones(1000, 1);
  thread->Upload(ones.data(), 2000, a, 2000);
  thread->Copy(a, 2000, b, 0, 2000);
  CheckAll(Read(thread, b, 500), 1);
  CheckAll(Read(thread, b, 500, 2000), 0);
  CHECK(CodeOf([&] { thread->Copy(a, 0, a, 4, 8); }) == "bad_argument");
  thread->Copy(a, 0, a, 2000, 2000);
  CheckAll(Read(thread, a, 1000), 0);
  // Nothing: no bytes.
  thread->Copy(a, 4000, b, 4000, 0);
  thread->Upload(nullptr, 0, a, 4000);
  thread->Download(a, 0, nullptr, 0);
  const uint64_t none = thread->Allocate(0, 0);
  CHECK(thread->InfoOf(none).address != 0);
  CHECK(thread->InfoOf(b).device == 1 && thread->InfoOf(b).bytes == 4000);
}

void TestHolding() {
  Thread one, other;
  const uint64_t id = one->Allocate(0, 400);
  Words().Fill(100, 3, {id}).Run(&*one.operator->(), 0);
  other->Retain(id);
  one->Retain(id);
  one->Release(id);
  one->Release(id);
  CHECK(CodeOf([&] { one->Release(id); }) == "bad_argument");
  // Who does not hold it may use it while others do.
  CheckAll(Read(one, id, 100), 3);
  other->Release(id);
  for (const auto& code : {CodeOf([&] { one->Retain(id); }), CodeOf([&] { other->Release(id); }),
                           CodeOf([&] { Read(one, id, 1); }), CodeOf([&] { one->WhenReady(id); }),
                           CodeOf([&] { one->InfoOf(id); }), CodeOf([&] { one->Export(id); }),
                           CodeOf([&] { Words().Fill(1, 1, {id}).Run(one.operator->(), 0); })}) {
    CHECK(code == "peer_dead");
  }
  CHECK(one->Allocate(0, 400) != id);
}

void TestNotes() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 1 << 20);
  for (int round = 1; round <= 20; ++round) {
    Words().Fill(1 << 18, static_cast<float>(round), {a}).Run(thread.operator->(), 0);
    const uint64_t note = thread->DownloadAsync(a, 4, 400);
    // What is queued later does not change it.
    Words().Fill(1 << 18, 0, {a}).Run(thread.operator->(), 0);
    const cuda::Arrival arrival = thread.Await(note);
    CHECK(arrival.error.empty() && arrival.block.capacity() >= 400);
    const auto* const values = reinterpret_cast<const float*>(arrival.block.data());
    CheckAll({values, values + 100}, static_cast<float>(round));
    CHECK(thread.Await(thread->WhenReady(a)).error.empty());
    Watchdog::Note();
  }
  CHECK(thread.Await(thread->DownloadAsync(a, 0, 0)).error.empty());
}

// Many pieces of work in flight copy from pinned memory that is used again and again.
void TestStaging() {
  Thread thread;
  constexpr size_t kArrays = 16, kLength = 5000;
  std::vector<uint64_t> ids;
  for (size_t k = 0; k < kArrays; ++k) ids.push_back(thread->Allocate(0, kLength * 4));
  for (int round = 0; round < 30; ++round) {
    for (size_t k = 0; k < kArrays; ++k) {
      const std::vector<float> values(kLength, static_cast<float>(round * 100 + k));
      thread->Upload(values.data(), (k + 1) * 1000, ids[k], 0);
      Words words;
      for (size_t j = 0; j < 20; ++j) words.Fill(1, static_cast<float>(j), {ids[k], 19996});
      words.Run(thread.operator->(), 0);
    }
    for (size_t k = 0; k < kArrays; ++k) {
      if (round % 7 != 0) continue;
      CheckAll(Read(thread, ids[k], (k + 1) * 250), static_cast<float>(round * 100 + k));
      Watchdog::Note();
    }
  }
  // A block of its own for each upload.
  constexpr size_t kMany = size_t{1} << 17;
  std::vector<uint64_t> large;
  for (size_t k = 0; k < 8; ++k) large.push_back(thread->Allocate(0, kMany * 4));
  for (int round = 0; round < 3; ++round) {
    for (size_t k = 0; k < large.size(); ++k) {
      const std::vector<float> values(kMany, static_cast<float>(round * 10 + k));
      thread->Upload(values.data(), kMany * 4, large[k], 0);
    }
    for (size_t k = 0; k < large.size(); ++k) {
      CheckAll(Read(thread, large[k], kMany), static_cast<float>(round * 10 + k));
    }
    Watchdog::Note();
  }
}

void TestHandles() {
  Thread thread, other;
  const uint64_t id = thread->Allocate(0, 400);
  Words().Fill(100, 5, {id}).Run(thread.operator->(), 0);
  const cuda::IpcHandle handle = thread->Export(id);
  CheckAll(Read(thread, id, 100), 5);
  CHECK(std::memcmp(thread->Export(id).bytes, handle.bytes, sizeof(handle.bytes)) == 0);
  const uint64_t same = other->Import(0, handle, 400);
  CHECK(same != id);
  CheckAll(Read(other, same, 100), 5);
  CHECK(CodeOf([&] { other->Import(0, handle, size_t{1} << 40); }) == "bad_argument");
  CHECK(CodeOf([&] { other->Import(0, {}, 4); }) == "bad_argument");
  CHECK(CodeOf([&] { other->Export(same); }) == "bad_argument");
  other->Release(same);
}

void TestKernels() {
  Thread thread;
  const std::string ptx = ".version 8.0\n.visible .entry scale()\n.visible .entry add()";
  const std::span<const std::byte> image(reinterpret_cast<const std::byte*>(ptx.data()),
                                         ptx.size());
  const size_t module = thread->LoadModule(0, image);
  const size_t scale = thread->KernelNamed(module, "scale");
  CHECK(thread->KernelNamed(module, "scale") == scale);
  CHECK(CodeOf([&] { thread->KernelNamed(module, "tensorkv_none"); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->KernelNamed(module + 1, "scale"); }) == "bad_argument");
  const uint64_t id = thread->Allocate(0, 400), far = thread->Allocate(1, 400);
  Words().Fill(100, 5, {id}).Run(thread.operator->(), 0);
  const cuda::Environment::LaunchShape shape = {{1, 1, 1}, {1, 1, 1}, 0};
  const auto number = [](uint64_t n) { return static_cast<double>(n); };
  const std::vector<double> good = {0, number(id), 4, 3, 3, 1.5, 0, 0, 1, 99, 0, 0};
  thread->Launch(scale, shape, good);
  CHECK(Read(thread, id, 1)[0] == 5);
  CheckAll(Read(thread, id, 99, 4), 7.5);
  thread->Launch(scale, {{1, 1, 1}, {1, 1, 1}, 100'000}, good);
  CheckAll(Read(thread, id, 99, 4), 11.25);
  CHECK(CodeOf([&] { thread->Launch(scale, {{1, 1, 1}, {1, 1, 1}, 1 << 20}, good); }) ==
        "bad_argument");
  const auto refuses = [&](size_t at, double word) {
    std::vector<double> words = good;
    words[at] = word;
    CHECK(CodeOf([&] { thread->Launch(scale, shape, words); }) == "bad_argument");
  };
  refuses(0, 6);
  refuses(0, 1);  // An int32 where the kernel takes an address.
  refuses(1, number(far));
  refuses(2, 401);
  refuses(2, 0.5);
  refuses(3, 0);
  refuses(9, 2147483648.0);
  CHECK(CodeOf([&] { thread->Launch(scale, shape, std::span(good).first(8)); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->Launch(scale, shape, std::span(good).first(9)); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->Launch(scale, {{0, 1, 1}, {1, 1, 1}, 0}, good); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->Launch(scale, {{1, 1, 1}, {64, 32, 1}, 0}, good); }) ==
        "bad_argument");
  CHECK(CodeOf([&] { thread->Launch(1000, shape, good); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->LoadModule(0, {}); }) == "bad_argument");
  CHECK(CodeOf([&] {
          thread->LoadModule(0, std::as_bytes(std::span("\x7f"
                                                        "ELF")));
        }) == "bad_argument");
  CHECK(CodeOf([&] { thread->LoadModule(0, std::as_bytes(std::span("nothing"))); }) ==
        "bad_argument");
}

}  // namespace

void TestCalls() {
  TestCopies();
  TestHolding();
  TestNotes();
  TestStaging();
  TestHandles();
  TestKernels();
  Thread thread;
  CHECK(CodeOf([&] { thread->Allocate(6, 4); }) == "bad_argument");
  CHECK(CodeOf([&] { thread->Allocate(-1, 4); }) == "bad_argument");
  CHECK(cuda::DeviceCount() == 6 && cuda::DriverVersion() == 13000);
  CHECK(cuda::InfoOfDevice(1).processors == 4);
}

}  // namespace tensorkv::test
