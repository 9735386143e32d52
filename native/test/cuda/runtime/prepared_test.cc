#include <memory>
#include <vector>

#include "support.h"

namespace tensorkv::test {
namespace {

using cuda::Prepared;
using Row = std::vector<double>;

// w -= lr * rescale * (a + b), and its copies, for each of `count` keys.
class Keys {
 public:
  static constexpr size_t kLength = 100;

  Keys(Thread& thread, size_t count) : thread_(thread) {
    for (size_t key = 0; key < count; ++key) {
      for (std::vector<uint64_t>* const ids : {&stored, &a, &b, &out}) {
        ids->push_back(thread->Allocate(0, kLength * sizeof(float)));
      }
      expected.push_back(0);
    }
  }

  // `lr`: of each key.
  std::shared_ptr<Prepared> Prepare(const std::vector<double>& lr) {
    words_ = {};
    for (size_t key = 0; key < stored.size(); ++key) {
      words_.Put({.code = 2,
                  .dtype = 0,
                  .to = 0,
                  .length = kLength,
                  .inputs = {{a[key]}, {b[key]}},
                  .stored = {stored[key]},
                  .hyper = RowOf(lr[key]),
                  .rule = RuleNamed("sgd")});
      words_.Sum(kLength, {{stored[key]}}, {{out[key]}});
    }
    return thread_->Prepare(0, words_.words(), words_.count());
  }

  // `rows`: by key; keys may share one.
  bool Run(Prepared& prepared, const std::vector<const Row*>& rows) {
    std::vector<std::span<const double>> spans(rows.size());
    for (size_t key = 0; key < rows.size(); ++key) spans[key] = *rows[key];
    if (!thread_->Run(prepared, spans)) return false;
    for (size_t key = 0; key < rows.size(); ++key) {
      expected[key] -= static_cast<float>((*rows[key])[4]) * 3;
    }
    return true;
  }
  void FillInputs() {
    for (size_t key = 0; key < stored.size(); ++key) {
      Words().Fill(kLength, 1, {a[key]}).Fill(kLength, 2, {b[key]}).Run(thread_.operator->(), 0);
    }
  }
  void Check() {
    for (size_t key = 0; key < stored.size(); ++key) {
      CHECK(Read(thread_, stored[key], kLength) == std::vector<float>(kLength, expected[key]));
      CHECK(Read(thread_, out[key], kLength) == std::vector<float>(kLength, expected[key]));
    }
  }
  // Rescale, clip, decay, average; learning rate.
  static Row RowOf(double lr) { return {1, 1e30, 0, 0, lr}; }

  std::vector<uint64_t> stored, a, b, out;
  std::vector<float> expected;

 private:
  Thread& thread_;
  Words words_;
};

// The numbers of a step may change each time, for all keys or for some of them.
void ChangesHyper() {
  Thread thread;
  Keys keys(thread, 12);
  keys.FillInputs();
  const std::vector<double> same(12, 0.5);
  auto prepared = keys.Prepare(same);
  std::vector<Row> rows;
  for (const double lr : {0.5, 0.25, 0.25, 2.0, 1.0}) rows.push_back(Keys::RowOf(lr));
  for (const Row& row : rows) {
    CHECK(keys.Run(*prepared, std::vector<const Row*>(12, &row)));
    keys.Check();
  }
  // Equal numbers from different places are as good; others are another plan.
  const Row again = rows[0];
  std::vector<const Row*> mixed(12, &rows[0]);
  mixed[5] = &again;
  CHECK(keys.Run(*prepared, mixed));
  mixed[7] = &rows[1];
  CHECK(!keys.Run(*prepared, mixed));
  keys.Check();
  // Each its own: more than are copied one by one.
  std::vector<double> each;
  std::vector<Row> own, next;
  std::vector<const Row*> all;
  for (size_t key = 0; key < 12; ++key) {
    each.push_back(0.5 * static_cast<double>(key + 1));
    own.push_back(Keys::RowOf(each.back()));
    next.push_back(Keys::RowOf(0.25 * static_cast<double>(key)));
  }
  prepared = keys.Prepare(each);
  for (const std::vector<Row>* const those : {&own, &next, &own}) {
    all.clear();
    for (const Row& row : *those) all.push_back(&row);
    CHECK(keys.Run(*prepared, all));
    keys.Check();
  }
  all.pop_back();
  CHECK(CodeOf([&] { keys.Run(*prepared, all); }) == "bad_argument");
  Row longer(33, 0);
  all.push_back(&longer);
  CHECK(CodeOf([&] { keys.Run(*prepared, all); }) == "bad_argument");
}

// What is written elsewhere meanwhile comes before, and what is read elsewhere after.
void KeepsOrder() {
  Thread thread, other;
  Keys keys(thread, 3);
  keys.FillInputs();
  const auto prepared = keys.Prepare({1, 1, 1});
  const Row row = Keys::RowOf(1);
  for (int k = 1; k <= 20; ++k) {
    Words().Fill(Keys::kLength, static_cast<float>(k), {keys.b[1]}).Run(other.operator->(), 0);
    CHECK(keys.Run(*prepared, {&row, &row, &row}));
    keys.expected[1] -= static_cast<float>(k) - 2;  // Not 2, as of the others.
    CHECK(Read(other, keys.out[1], 1)[0] == keys.expected[1]);
  }
  keys.Check();
}

// Allocations that were moved or are gone.
void SeesWhereTheyAre() {
  Thread thread;
  Keys keys(thread, 2);
  keys.FillInputs();
  auto prepared = keys.Prepare({1, 1});
  const Row row = Keys::RowOf(1);
  CHECK(keys.Run(*prepared, {&row, &row}));
  thread->Export(keys.stored[1]);
  CHECK(!keys.Run(*prepared, {&row, &row}));
  prepared = keys.Prepare({1, 1});
  CHECK(keys.Run(*prepared, {&row, &row}));
  keys.Check();
  thread->Release(keys.out[0]);
  CHECK(CodeOf([&] { keys.Run(*prepared, {&row, &row}); }) == "peer_dead");
  CHECK(Read(thread, keys.stored[0], 1)[0] == keys.expected[0]);
}

// Memory of a plan comes with its first run and goes with it.
void GivesMemoryBack() {
  Thread thread;
  Keys keys(thread, 2);
  keys.FillInputs();
  keys.Check();
  thread->Synchronize(0);
  const size_t before = UsedBytes(0);
  const Row row = Keys::RowOf(1);
  {
    auto prepared = keys.Prepare({1, 1});
    CHECK(UsedBytes(0) == before);
    CHECK(keys.Run(*prepared, {&row, &row}));
    CHECK(UsedBytes(0) > before);
  }
  thread->Synchronize(0);
  CHECK(UsedBytes(0) == before);
  auto prepared = keys.Prepare({1, 1});
  FailLater("cuMemAllocAsync:1:2,cuMemAllocAsync:2:2");
  CHECK(CodeOf([&] { keys.Run(*prepared, {&row, &row}); }) == "memory_limit");
  keys.Check();
  CHECK(keys.Run(*prepared, {&row, &row}));
  keys.Check();
}

// A rule of the whole tensor: its launches depend on the numbers.
void LeavesWholeRules() {
  Thread thread;
  const uint64_t stored = thread->Allocate(0, 400), gradient = thread->Allocate(0, 400);
  const uint64_t slot = thread->Allocate(0, 400);
  Words words;
  Row hyper(16, 0);
  hyper[0] = 1, hyper[1] = 1e30, hyper[4] = 0.5;
  words.Put({.code = 2,
             .dtype = 0,
             .to = 0,
             .length = 100,
             .inputs = {{gradient}},
             .slots = {{slot}},
             .stored = {stored},
             .hyper = hyper,
             .rule = RuleNamed("lars")});
  CHECK(CodeOf([&] { thread->Prepare(0, words.words(), words.count()); }) == "bad_argument");
}

}  // namespace

void TestPrepared() {
  ChangesHyper();
  KeepsOrder();
  SeesWhereTheyAre();
  GivesMemoryBack();
  LeavesWholeRules();
}

}  // namespace tensorkv::test
