#include <cmath>
#include <limits>

#include "cuda/operations.h"
#include "decoding.h"
#include "step.h"

// Rules that need the whole tensor: their slots are as long as their hyper-parameters say.
namespace tensorkv::test {
namespace {

constexpr size_t kLength = 96, kBytes = kLength * sizeof(float);
constexpr double kWrong[] = {-1, 0.5, 1e300, NAN, std::numeric_limits<double>::infinity()};

// A step of 96 elements by `rule`, its slots exactly as long as they have to be.
class Whole {
 public:
  Whole(Thread& thread, const char* rule, const std::vector<size_t>& slots)
      : thread_(thread), decoding_(thread) {
    step = {2, 0, 0, kLength, 0, {{thread->Allocate(0, kBytes)}}, {}};
    step.stored = {thread->Allocate(0, kBytes)};
    step.rule = RuleNamed(rule);
    step.hyper.assign(cuda::kMostHyper, 0.5);
    for (const size_t length : slots) step.slots.push_back({thread->Allocate(0, 4 * length)});
  }

  double& Own(size_t k) { return step.hyper[kCommonHyper + k]; }
  void Takes() { decoding_.Takes(step); }
  template <typename Change>
  void Refuses(Change change) {
    decoding_.Refuses(With(step, change));
  }
  // Hyper-parameter `k` of the rule has to count.
  void RefusesOwn(size_t k) {
    for (const double wrong : kWrong) RefusesOwn(k, wrong);
  }
  void RefusesOwn(size_t k, double wrong) {
    Refuses([=](Operation& o) { o.hyper[kCommonHyper + k] = wrong; });
  }
  // What is wrong with the slots of any rule.
  void RefusesSlots() {
    const uint64_t far = thread_->Allocate(1, kBytes), more = thread_->Allocate(0, kBytes);
    for (size_t k = 0; k < step.slots.size(); ++k) {
      Refuses([=](Operation& o) { o.slots[k].offset = 4; });
      Refuses([=](Operation& o) { o.slots[k].id = 0; });
      Refuses([=](Operation& o) { o.slots[k].id = far; });
      Refuses([=](Operation& o) { o.slots[k] = o.stored; });
      Refuses([=](Operation& o) { o.slots[k] = o.inputs[0]; });
      for (size_t j = 0; j < k; ++j) {
        Refuses([=](Operation& o) { o.slots[k] = o.slots[j]; });
      }
    }
    Refuses([](Operation& o) { o.slots.pop_back(); });
    Refuses([=](Operation& o) { o.slots.push_back({more}); });
    Refuses([](Operation& o) { o.dtype = static_cast<double>(Dtype::kInt32); });
    Refuses([](Operation& o) { o.length = size_t{1} << 62; });
    Refuses([](Operation& o) { ++o.length; });
  }

  Operation step;

 private:
  Thread& thread_;
  Decoding decoding_;
};

void TestPlainRules(Thread& thread) {
  const std::pair<const char*, size_t> rules[] = {
      {"lamb", 2}, {"lans", 2}, {"lars", 1}, {"adafactorVector", 1}};
  for (const auto& [name, slots] : rules) {
    Whole whole(thread, name, std::vector<size_t>(slots, kLength));
    whole.Takes();
    whole.RefusesSlots();
    whole.Refuses([](Operation& o) { o.hyper.resize(kCommonHyper - 1); });
    // A slot that overlaps the tensor in part.
    const uint64_t both = thread->Allocate(0, 2 * kBytes);
    whole.Refuses([=](Operation& o) {
      o.stored = {both};
      o.slots[0] = {both, kBytes / 2};
    });
  }
}

void TestShapes(Thread& thread) {
  Whole rows(thread, "groupAdagrad", {12});
  rows.Own(2) = 8;
  rows.Takes();
  rows.RefusesSlots();
  rows.RefusesOwn(2);
  for (const double wrong : {0, 7, 97, 4}) rows.RefusesOwn(2, wrong);
  rows.Refuses([](Operation& o) { o.hyper.resize(kCommonHyper); });

  Whole matrix(thread, "adafactorMatrix", {12, 8});
  matrix.Own(8) = 12;
  matrix.Own(9) = 8;
  matrix.Takes();
  matrix.RefusesSlots();
  for (const size_t k : {8, 9}) matrix.RefusesOwn(k);
  matrix.RefusesOwn(8, 11);
  matrix.RefusesOwn(9, 0);
  const auto turned = [](Operation& o) { std::swap(o.hyper[12], o.hyper[13]); };
  matrix.Refuses(turned);  // The slots are not.
  matrix.Refuses([](Operation& o) { o.hyper[12] = o.hyper[13] = 4503599627370496.0; });

  Whole muon(thread, "muon", {kLength});
  muon.Own(3) = 2;
  muon.Own(5) = 12;
  muon.Own(6) = 8;
  muon.Takes();
  muon.RefusesSlots();
  for (const size_t k : {3, 5, 6}) muon.RefusesOwn(k);
  muon.RefusesOwn(3, 1001);
  muon.RefusesOwn(5, 8);
  muon.RefusesOwn(6, 4503599627370496.0);
}

// What is computed of a half type is as wide as a float.
void TestHalves(Thread& thread) {
  Whole half(thread, "lamb", {kLength, kLength});
  half.step.dtype = static_cast<double>(Dtype::kFloat16);
  half.step.master = {thread->Allocate(0, kBytes)};
  half.Takes();
  half.RefusesSlots();
  half.Refuses([](Operation& o) { o.master.offset = 4; });
  half.Refuses([](Operation& o) { o.slots[0].offset = kBytes / 2; });
  half.Refuses([](Operation& o) { o.dtype = 0; });  // No master of floats.
  half.Refuses([](Operation& o) { o.master = o.slots[1]; });
  half.Refuses([](Operation& o) { o.average = o.master; });
  half.Refuses([](Operation& o) { o.scratch = o.master; });
  half.Refuses([](Operation& o) { o.outs = {o.master}; });
}

}  // namespace

void TestDecodingOfWholeRules() {
  Thread thread;
  TestPlainRules(thread);
  TestShapes(thread);
  TestHalves(thread);
  thread->Synchronize(0);
}

}  // namespace tensorkv::test
