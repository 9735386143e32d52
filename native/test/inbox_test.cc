#include "engine/inbox.h"

#include <thread>
#include <vector>

#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

using engine::Ended;
using engine::Inbox;
using Signal = Inbox::Signal;

constexpr std::chrono::minutes kSlice{1};

Ended EndedOf(double id) { return {.rank = 0, .id = id, .out_bytes = 0, .shown = {}}; }

Signal Add(Inbox& inbox, double id) {
  Ended ended = EndedOf(id);
  return inbox.Add(ended);
}

// It is rung once until it has looked, and not at all while it looks for itself.
void RingsOnce() {
  int rings = 0;
  Inbox inbox([&] { ++rings; });
  double ids[2];
  CHECK(Add(inbox, 1) == Signal::kRing);
  inbox.Tell(Signal::kRing);
  CHECK(rings == 1);
  CHECK(Add(inbox, 2) == Signal::kNone);
  CHECK(inbox.Take(ids, 2) == 2 && ids[0] == 1 && ids[1] == 2);
  CHECK(!inbox.has_ended());
  inbox.BeginSubmit();
  CHECK(Add(inbox, 3) == Signal::kNone);
  inbox.EndSubmit();
  CHECK(Add(inbox, 4) == Signal::kNone);  // It has not looked yet.
  CHECK(inbox.Take(ids, 1) == 1 && ids[0] == 3 && inbox.has_ended());
  CHECK(inbox.Take(ids, 2) == 1 && ids[0] == 4);
  inbox.BeginSubmit();
  inbox.EndSubmit();
  CHECK(Add(inbox, 5) == Signal::kRing);
  inbox.Silence();
  inbox.Tell(Signal::kRing);
  CHECK(rings == 1);
}

// A call outlasts waits that give something.
void RemembersCalls() {
  Inbox inbox(nullptr);
  double ids[1];
  inbox.Call();
  CHECK(Add(inbox, 1) == Signal::kRing);
  inbox.BeginWait();
  CHECK(inbox.EndWait(ids, 1) == 1 && inbox.has_news());
  inbox.BeginWait();
  CHECK(inbox.EndWait(ids, 1) == 0 && !inbox.has_news());
}

// A thread that is parked is woken by what ends, and by a call.
void WakesWhoIsParked() {
  Inbox inbox(nullptr);
  for (const bool calls : {false, true}) {
    inbox.BeginWait();
    std::thread other([&] {
      if (calls) return inbox.Call();
      inbox.Tell(Add(inbox, 1));
    });
    inbox.Park(std::chrono::steady_clock::now() + kSlice);
    other.join();
    double ids[1];
    CHECK(inbox.has_news());
    CHECK(inbox.EndWait(ids, 1) == (calls ? 0 : 1));
  }
}

// News that came before a thread parks keeps it from parking: nobody wakes it again.
void ParksForNoOldNews() {
  Inbox inbox(nullptr);
  double ids[1];
  inbox.BeginWait();
  inbox.Tell(Add(inbox, 1));
  inbox.Park(std::chrono::steady_clock::now() + kSlice);
  CHECK(inbox.EndWait(ids, 1) == 1);
}

}  // namespace

void TestInbox() {
  RingsOnce();
  RemembersCalls();
  WakesWhoIsParked();
  ParksForNoOldNews();
}

}  // namespace tensorkv::test
