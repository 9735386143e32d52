#include "decoding.h"

// Where rows are, and what is refused of them. Which rows they are the device alone knows.
namespace tensorkv::test {
namespace {

constexpr double kHuge = 9007199254740990.0;

struct Arrays {
  explicit Arrays(Thread& thread)
      : a(thread->Allocate(0, 4096)),
        b(thread->Allocate(0, 4096)),
        c(thread->Allocate(0, 4096)),
        d(thread->Allocate(0, 4096)),
        far(thread->Allocate(1, 4096)) {}
  uint64_t a, b, c, d, far;
};

void TestSumRows(Thread& thread, const Arrays& arrays) {
  Decoding decoding(thread);
  const auto [a, b, c, d, far] = arrays;
  // 10 rows of 25; the table has 11 starts, zeros, and no pieces.
  const uint64_t table = thread->Allocate(0, 88);
  Operation sum = {12, 0, 0, 10, 0, {{a}, {b}}, {{c}}};
  sum.rows = {table};
  sum.row_length = 25;
  decoding.Takes(sum);
  const auto refuses = [&](auto change) { decoding.Refuses(With(sum, change)); };
  refuses([](Operation& o) { o.rows.id = 0; });
  refuses([](Operation& o) { o.rows.offset = 8; });
  refuses([](Operation& o) { o.rows.offset = 4; });
  refuses([](Operation& o) { o.rows.offset = 96; });
  refuses([&, far = far](Operation& o) { o.rows.id = far; });
  refuses([](Operation& o) { o.length = 11; });
  refuses([](Operation& o) { o.length = 9007199254740991; });
  refuses([](Operation& o) { o.row_length = 103; });
  refuses([](Operation& o) { o.row_length = kHuge; });
  refuses([](Operation& o) { o.row_length = -1; });
  refuses([](Operation& o) { o.row_length = 0.5; });
  refuses([](Operation& o) { o.dtype = 8; });
  refuses([](Operation& o) { o.outs.clear(); });
  refuses([&, d = d](Operation& o) { o.outs.push_back({d}); });
  refuses([&, d = d](Operation& o) { o.slots = {{d}}; });
  refuses([&, d = d](Operation& o) { o.stored = {d}; });
  refuses([](Operation& o) { o.hyper = {1}; });
  refuses([](Operation& o) { o.outs[0].offset = 3100; });
  refuses([](Operation& o) { o.outs[0].offset = 2; });
  refuses([](Operation& o) { o.inputs[1].offset = 2; });
  refuses([&, far = far](Operation& o) { o.inputs[1].id = far; });
  refuses([](Operation& o) { o.outs[0] = o.inputs[1]; });
  // The starts of the table and the out.
  Operation same = sum;
  same.rows = {d};
  same.outs = {{d, 88}};
  decoding.Takes(same);
  decoding.Refuses(With(same, [](Operation& o) { o.outs[0].offset = 80; }));
  decoding.Refuses(With(same, [](Operation& o) { o.outs[0].offset = 0; }));
  // Of doubles.
  Operation wide = sum;
  wide.dtype = 1;
  decoding.Takes(wide);
  decoding.Refuses(With(wide, [](Operation& o) { o.outs[0].offset = 4; }));
  decoding.Refuses(With(wide, [](Operation& o) { o.row_length = 52; }));
}

void TestStepsOfRows(Thread& thread, const Arrays& arrays) {
  Decoding decoding(thread);
  const auto [a, b, c, d, far] = arrays;
  // 10 rows of 10: all of them the first, as the ids are zeros.
  const uint64_t ids = thread->Allocate(0, 80), average = thread->Allocate(0, 4096);
  Operation step = {2, 0, 0, 100, 0, {{a}}, {{c}}, {{d}}};
  step.stored = {b};
  step.average = {average};
  step.rule = RuleNamed("sgdMomentum");
  step.hyper = {1, 1e30, 0, 0, 0.1};
  step.rows = {ids};
  step.row_length = 10;
  decoding.Takes(step);
  const auto refuses = [&](auto change) { decoding.Refuses(With(step, change)); };
  refuses([](Operation& o) { o.row_length = 0; });
  refuses([](Operation& o) { o.row_length = 7; });
  refuses([](Operation& o) { o.row_length = 9; });
  refuses([](Operation& o) { o.row_length = kHuge; });
  refuses([](Operation& o) { o.length = 110; });
  refuses([](Operation& o) { o.length = size_t{1} << 62; });
  refuses([](Operation& o) { o.rows.offset = 8; });
  refuses([](Operation& o) { o.rows.offset = 4; });
  refuses([&, far = far](Operation& o) { o.rows.id = far; });
  refuses([](Operation& o) { o.inputs[0].offset = 3700; });
  refuses([](Operation& o) { o.stored = {0}; });
  refuses([](Operation& o) { o.stored.offset = 2; });
  refuses([](Operation& o) { o.master = o.outs[0]; });
  refuses([](Operation& o) { o.slots.clear(); });
  refuses([](Operation& o) { o.slots.push_back(o.outs[0]); });
  // A gradient of rows lies elsewhere than what they are rows of.
  refuses([](Operation& o) { o.stored = o.inputs[0]; });
  refuses([](Operation& o) { o.outs[0] = o.inputs[0]; });
  refuses([](Operation& o) { o.slots[0] = o.inputs[0]; });
  refuses([](Operation& o) { o.slots[0] = o.stored; });
  refuses([](Operation& o) { o.slots[0] = o.average; });
  refuses([](Operation& o) { o.outs[0] = o.average; });
  refuses([](Operation& o) { o.outs[0] = o.rows; });
  refuses([](Operation& o) { o.average = o.rows; });
  // A rule that needs the whole tensor takes no rows.
  refuses([](Operation& o) {
    o.rule = RuleNamed("lars");
    o.average = {0};
  });
}

}  // namespace

void TestDecodingOfRows() {
  Thread thread;
  const Arrays arrays(thread);
  TestSumRows(thread, arrays);
  TestStepsOfRows(thread, arrays);
  thread->Synchronize(0);
}

}  // namespace tensorkv::test
