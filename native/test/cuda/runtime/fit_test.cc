#include "cuda/fit.h"

#include <array>

#include "support.h"

namespace tensorkv {
namespace cuda {

constexpr std::array<int, 5> kCodes = {75, 80, 86, 90, 100};

// Instead of src/cuda/fatbin.cc: what the kernels would have been made for.
std::span<const std::byte> Fatbin() { return {}; }
Targets TargetsOfFatbin() { return {13000, 13000, 75, kCodes}; }

}  // namespace cuda

namespace test {
namespace {

using cuda::UnfitReason;

constexpr char kOldDriver[] =
    "the NVIDIA driver is too old: it is for CUDA 12.9, and needs 13.0 or newer for the kernels of "
    "this build";
constexpr char kOldDevice[] =
    "cuda(0) of compute capability 7.0 is too old: the kernels of this build are for 7.5 and newer";

void TestReasons() {
  const cuda::Targets targets = cuda::TargetsOfFatbin();
  for (const int capability : {75, 80, 86, 87, 89, 90, 100, 103, 110, 120, 121}) {
    CHECK(UnfitReason(targets, 13000, 0, capability).empty());
    CHECK(UnfitReason(targets, 14010, 0, capability).empty());
    CHECK(UnfitReason(targets, 12090, 0, capability) == kOldDriver);
  }
  CHECK(UnfitReason(targets, 13000, 0, 70) == kOldDevice);
  // A driver of the same major version takes instructions of a newer toolkit, and no PTX.
  const cuda::Targets newer = {13020, 13000, 75, targets.codes};
  for (const int capability : {75, 80, 86, 89, 90, 100, 103}) {
    CHECK(UnfitReason(newer, 13000, 0, capability).empty());
  }
  CHECK(UnfitReason(newer, 13010, 1, 120) ==
        "the NVIDIA driver is too old: it is for CUDA 13.1, and needs 13.2 or newer for cuda(1) of "
        "compute capability 12.0");
  CHECK(UnfitReason(newer, 13020, 1, 120).empty());
  // Instructions of 8.6 are none for 8.0.
  const std::array<int, 1> later = {86};
  CHECK(UnfitReason({13000, 13000, 80, later}, 13000, 0, 80).empty());
  CHECK(UnfitReason({13020, 13000, 80, later}, 13000, 0, 80) !=
        UnfitReason({13020, 13000, 80, later}, 13000, 0, 86));
  CHECK(UnfitReason({13000, 13000, 86, later}, 13000, 0, 80).ends_with("8.6 and newer"));
}

}  // namespace

void TestReason(const std::string& reason) {
  CHECK(cuda::MissingReason() == reason);
  CHECK(cuda::MissingReason(0) == reason);
  Thread thread;
  for (const auto& code :
       {CodeOf([&] { thread->Allocate(0, 4); }), CodeOf([] { cuda::DeviceCount(); }),
        CodeOf([] { cuda::InfoOfDevice(0); })}) {
    CHECK(code == "cuda_unavailable");
  }
}

// The first is too old, the second is not.
void TestMixedDevices() {
  CHECK(cuda::MissingReason(0) == kOldDevice);
  CHECK(cuda::MissingReason(1).empty());
  CHECK(CodeOf([] { cuda::MissingReason(2); }) == "bad_argument");
  CHECK(cuda::DeviceCount() == 2 && cuda::InfoOfDevice(0).major == 7);
  Thread thread;
  CHECK(CodeOf([&] { thread->Allocate(0, 4); }) == "cuda_unavailable");
  CHECK(CodeOf([&] { thread->Synchronize(0); }) == "cuda_unavailable");
  CHECK(Read(thread, thread->Allocate(1, 4), 1)[0] == 0);
}

void TestFit() {
  TestReasons();
  RunChild({"reason", kOldDriver}, {"TENSORKV_STAND_IN_VERSION=12090"});
  RunChild({"reason", kOldDevice}, {"TENSORKV_STAND_IN_CAPABILITIES=70,61"});
  RunChild({"mixed"}, {"TENSORKV_STAND_IN_CAPABILITIES=70,90", "TENSORKV_STAND_IN_DEVICES=2"});
}

}  // namespace test
}  // namespace tensorkv
