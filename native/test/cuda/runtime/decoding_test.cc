#include "decoding.h"

#include <cmath>
#include <limits>

namespace tensorkv::test {

void TestDecoding() {
  Thread thread;
  const uint64_t a = thread->Allocate(0, 4096), b = thread->Allocate(0, 4096);
  const uint64_t c = thread->Allocate(0, 4096), d = thread->Allocate(0, 4096);
  const uint64_t far = thread->Allocate(1, 4096);
  Decoding decoding(thread);
  const auto code = [&](Words& words, size_t count) { return decoding.CodeOfWords(words, count); };
  const auto refuses = [&](const Operation& operation) { decoding.Refuses(operation); };
  const auto takes = [&](const Operation& operation) { decoding.Takes(operation); };

  const Operation sum = {1, 0, 0, 100, 0, {{a}, {b}}, {{c}}};
  takes(sum);
  takes(With(sum, [](Operation& o) { o.outs[0] = o.inputs[0]; }));
  // Every word in turn as what no word may be.
  for (size_t at = 0; at < 15; ++at) {
    if (at == 7 || at == 8) continue;  // Any number will do.
    for (const double wrong :
         {-1.0, 0.5, 1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
      if (at == 10 && wrong == -1.0) continue;  // A high word may be negative.
      Words words;
      words.Put(sum);
      words.words()[at] = wrong;
      CHECK(code(words, 1) == "bad_argument");
    }
  }
  {
    Words words;
    words.Put(sum);
    CHECK(code(words, 2) == "bad_argument");
    for (size_t size = words.words().size(); size-- > 0;) {
      words.words().resize(size);
      CHECK(code(words, 1) == "bad_argument");
    }
    CHECK(code(words, 0).empty());
  }
  refuses(With(sum, [](Operation& o) { o.code = 17; }));
  refuses(With(sum, [](Operation& o) { o.code = 0; }));
  refuses(With(sum, [](Operation& o) { o.dtype = 8; }));
  refuses(With(sum, [](Operation& o) { o.length = 1025; }));
  refuses(With(sum, [](Operation& o) { o.length = size_t{1} << 62; }));
  refuses(With(sum, [](Operation& o) { o.inputs.clear(); }));
  refuses(With(sum, [](Operation& o) { o.outs.clear(); }));
  refuses(With(sum, [](Operation& o) { o.inputs[1] = {0}; }));
  refuses(With(sum, [](Operation& o) { o.outs[0].offset = 2; }));
  refuses(With(sum, [](Operation& o) { o.outs[0].offset = 4000; }));
  refuses(With(sum, [](Operation& o) { o.outs[0].offset = size_t{1} << 52; }));
  refuses(With(sum, [](Operation& o) { o.hyper = {1}; }));
  refuses(With(sum, [](Operation& o) { o.outs[0] = {o.inputs[0].id, 4}; }));
  refuses({1, 0, 0, 100, 0, {{a}}, {{far}}});
  refuses({1, 0, 0, 100, 0, {{a}}, {{b}, {b, 8}}});
  refuses({1, 0, 0, 100, 0, {{a}}, {{b}}, {{c}}});
  {
    Words words;
    words.Put({1, 0, 0, 100, 0, {{a}}, {{uint64_t{1} << 50}}});
    CHECK(code(words, 1) == "peer_dead");
  }

  takes({3, 0, 1, 100, 0, {{a}}, {{b}}});
  refuses({3, 0, 1, 100, 0, {{a}}, {{a}}});
  refuses({3, 0, 1, 600, 0, {{a}}, {{b}}});
  takes({4, 7, 0, 10, -5, {}, {{b}}});
  refuses({4, 7, 0, 10, 0, {}, {{b, 4}}});
  refuses({5, 0, 0, 10, 0, {{a}}, {{b}}});
  takes({5, 0, 0, 10, 0, {{a}, {b}}, {{a}}});
  refuses({6, 0, 0, 10, 0, {{a}, {b, 4}}, {{b}}});

  const Operation encode = {9, 0, 0, 100, 0, {{a}}, {{b}, {c}}};
  const auto codec = [](Operation o, double two_bit) {
    o.two_bit = two_bit;
    o.threshold = 0.5;
    return o;
  };
  takes(codec(encode, 1));
  refuses(codec(With(encode, [](Operation& o) { o.outs[1].offset = 4096 - 24; }), 1));
  takes(codec(With(encode, [](Operation& o) { o.outs[1].offset = 4096 - 16; }), 0));
  refuses(codec(With(encode, [](Operation& o) { o.dtype = 1; }), 1));
  refuses(codec(With(encode, [](Operation& o) { o.outs[1] = o.inputs[0]; }), 1));
  takes(codec({10, 0, 0, 100, 0, {{a}}, {{b}}}, 1));
  refuses(codec({10, 0, 0, 100, 0, {{b, 16}}, {{b}}}, 1));
  takes(codec({11, 0, 0, 100, 0, {{a}, {b}}, {{b}, {a}}}, 1));
  refuses(codec({11, 0, 0, 100, 0, {{a}, {b}}, {{a}, {b}}}, 1));

  takes({15, 0, 0, 100, 0, {{a}, {b}}, {{c}}});
  refuses({15, 6, 0, 100, 0, {{a}}, {{c}}});
  refuses({15, 0, 0, 100, 0, {{a}}, {{c, 4}}});
  refuses({15, 0, 0, 100, 0, {{a}}, {{a}}});
  takes({16, 0, 0, 100, 0, {{a}}, {{c, 4}}});

  // Rows of 40 bytes; ids are zeros, as the memory is.
  const uint64_t ids = thread->Allocate(0, 80);
  Operation gather = {13, 0, 0, 10, 0, {{a}}, {{b}}};
  gather.rows = {ids};
  gather.row_length = 40;
  takes(gather);
  refuses(With(gather, [](Operation& o) { o.rows.id = 0; }));
  refuses(With(gather, [](Operation& o) { o.length = 11; }));
  refuses(With(gather, [](Operation& o) { o.row_length = 410; }));
  refuses(With(gather, [](Operation& o) { o.row_length = 9007199254740990.0; }));
  refuses(With(gather, [](Operation& o) { o.outs[0] = o.inputs[0]; }));
  Operation scatter = gather;
  scatter.code = 14;
  scatter.length = 1;
  takes(scatter);
  refuses(With(scatter, [](Operation& o) { o.row_length = 4097; }));

  Operation step = {2, 0, 0, 100, 0, {{a}}, {{c}}};
  step.stored = {b};
  step.rule = RuleNamed("sgd");
  step.hyper = {1, 1e30, 0, 0, 0.1};
  takes(step);
  refuses(With(step, [](Operation& o) { o.stored = {0}; }));
  refuses(With(step, [](Operation& o) { o.rule = 1000; }));
  refuses(With(step, [](Operation& o) { o.dtype = 6; }));
  refuses(With(step, [](Operation& o) { o.hyper = {1, 1, 0}; }));
  refuses(With(step, [](Operation& o) { o.hyper.resize(33); }));
  refuses(With(step, [](Operation& o) { o.rule = RuleNamed("sgdMomentum"); }));
  refuses(With(step, [](Operation& o) { o.master = o.outs[0]; }));
  refuses(With(step, [](Operation& o) { o.average = o.stored; }));
  step.rule = RuleNamed("sgdMomentum");
  step.slots = {{d}};
  takes(step);
  refuses(With(step, [](Operation& o) { o.slots[0].offset = 3700; }));
  refuses(With(step, [](Operation& o) { o.slots[0] = o.stored; }));
  refuses(With(step, [](Operation& o) { o.slots[0] = o.inputs[0]; }));
  refuses(With(step, [](Operation& o) { o.slots[0] = o.outs[0]; }));
  thread->Synchronize(0);
}

}  // namespace tensorkv::test
