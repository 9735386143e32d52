#include "../src/engine/rounds.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "../src/engine/lists.h"
#include "check.h"
#include "suites.h"
#include "watchdog.h"

namespace tensorkv::test {
namespace {

using engine::BufferId;
using engine::Consistency;
using engine::Ended;
using engine::Job;
using engine::KeyId;
using engine::kNoBuffer;
using engine::Lineup;
using engine::List;
using engine::Lists;
using engine::Part;
using engine::Pin;
using engine::Rank;
using engine::Rounds;
using engine::Shown;
using engine::Ticket;

// An address that says whose tensor it is, which of them, and whether it is an out.
char* Name(Rank rank, uint32_t number, bool is_out) {
  return reinterpret_cast<char*>((uintptr_t{rank} << 40) | (uintptr_t{number} << 12) |
                                 (is_out ? 0x800u : 0u));
}
Rank RankOf(const void* name) { return static_cast<Rank>(reinterpret_cast<uintptr_t>(name) >> 40); }
bool IsOut(const void* name) { return (reinterpret_cast<uintptr_t>(name) & 0x800u) != 0; }

// Devices issue random calls, some of them the same lists again and again, and jobs end in random
// order: every interleaving that a lock allows. Now and then the store is recalled, as it is when a
// device dies, and leased again to those that live.
class Schedule {
 public:
  explicit Schedule(uint64_t seed)
      : random_(seed),
        ranks_(1 + Pick(4)),
        keys_(1 + Pick(3)),
        consistency_(static_cast<Consistency>(Pick(3))),
        staleness_(Pick(3)),
        rounds_(ranks_, consistency_, staleness_),
        clocks_(keys_, std::vector<double>(ranks_, 0)) {
    rounds_.Resize(keys_);
    for (Rank rank = 0; rank < ranks_; ++rank) live_.push_back(rank);
    rounds_.SetLive(live_);
    for (KeyId key = 0; key < keys_; ++key) {
      rounds_.SetClocks(key, clocks_[key].data());
      // Some keys have no other buffer.
      const auto first = static_cast<BufferId>(2 * key);
      has_other_.push_back(Pick(3) != 0);
      rounds_.SetBuffers(key, first, has_other_[key] ? first + 1 : kNoBuffer, 0);
      homes_.push_back(first);
    }
    pushes_.assign(ranks_, std::vector<uint32_t>(keys_, 0));
    pushed_.assign(ranks_, std::vector<uint32_t>(keys_, 0));
    versions_.assign(keys_, 0);
  }

  ~Schedule() {
    for (Ticket* const ticket : kept_) {
      if (ticket == nullptr) continue;
      ticket->is_kept = false;
      if (!ticket->is_open) rounds_.PutBack(ticket);
    }
  }
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // Returns how many lists were done as a whole.
  uint32_t Run() {
    RunPhase();
    Grow();
    RunPhase();
    return done_lists_;
  }

 private:
  void RunPhase() {
    for (int step = 0; step < 40; ++step) {
      const uint32_t what = Pick(9);
      if (Pick(8) == 0) only_lists_ = !only_lists_;
      if (Pick(24) == 0) {
        Recall();
      } else if (what < 4) {
        Issue();
      } else if (what < 6) {
        Begin();
      } else if (what < 8) {
        End();
      } else {
        Release();
      }
    }
    // What is left of rounds that miss a push is made complete; then everything ends.
    while (Begin() || End() || Release()) {
    }
    if (consistency_ == Consistency::kSsp) CheckPace();
    for (KeyId key = 0; key < keys_; ++key) Complete(key);
    while (Begin() || End() || Release()) {
    }
    CHECK(open_.empty());
    CheckClocks();
  }

  // More ranks, which start where the others are.
  void Grow() {
    const Rank like = live_[0];
    for (uint32_t more = Pick(3); more > 0; --more) live_.push_back(ranks_++);
    const bool is_async = consistency_ == Consistency::kAsync;
    const std::vector<uint32_t> made = is_async ? std::vector<uint32_t>(keys_, 0) : pushes_[like];
    pushes_.resize(ranks_, made);
    pushed_.resize(ranks_, made);
    rounds_.Clear();
    lists_.Clear();
    rounds_.Grow(ranks_);
    rounds_.SetLive(live_);
    for (KeyId key = 0; key < keys_; ++key) {
      clocks_[key].resize(ranks_, clocks_[key][like]);
      rounds_.SetClocks(key, clocks_[key].data());
    }
  }

  uint32_t Pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

  // The coordinator takes back all that has not ended, and carries it out itself. Every other time
  // a device has died.
  void Recall() {
    while (End()) {
    }
    while (Release()) {
    }
    std::vector<std::vector<uint32_t>> left = pushed_;
    double last_id = 0;
    Rank last_rank = 0;
    rounds_.ForEachOpen([&](const Ticket& ticket) {
      CHECK(open_.count(ticket.id) == 1 && open_[ticket.id] == ticket.rank);
      CHECK(last_rank < ticket.rank || (last_rank == ticket.rank && last_id < ticket.id));
      last_rank = ticket.rank;
      last_id = ticket.id;
      open_.erase(ticket.id);
      CheckLeft(ticket, &left);
    });
    CHECK(open_.empty() && left == pushes_);
    rounds_.Clear();
    lists_.Clear();
    CHECK(!rounds_.has_ready());
    for (KeyId key = 0; key < keys_; ++key) CatchUp(key);
    open_.clear();
    asked_.clear();
    if (live_.size() > 1 && Pick(2) == 0) live_.erase(live_.begin() + Pick(Live()));
    rounds_.SetLive(live_);
  }

  // All devices have pushed equally often to a key when the store is leased again.
  void CatchUp(KeyId key) {
    uint32_t most = 0, all = 0;
    for (Rank rank = 0; rank < ranks_; ++rank) most = std::max(most, pushes_[rank][key]);
    for (Rank rank = 0; rank < ranks_; ++rank) {
      if (consistency_ != Consistency::kAsync) pushes_[rank][key] = most;
      if (consistency_ == Consistency::kSsp) clocks_[key][rank] = most;
      pushed_[rank][key] = pushes_[rank][key];
      all += pushes_[rank][key];
    }
    versions_[key] = consistency_ == Consistency::kSync ? most : all;
    made_[key] = contents_[homes_[key]] = versions_[key];
    const BufferId other = has_other_[key] ? homes_[key] ^ 1 : kNoBuffer;
    rounds_.SetBuffers(key, homes_[key], other, versions_[key]);
  }

  // Pushes that no round has taken are left, and no pull that has seen its turn come.
  void CheckLeft(const Ticket& ticket, std::vector<std::vector<uint32_t>>* left) {
    bool has_open = false;
    for (const Part& part : ticket.parts) {
      if (part.has_ended) continue;
      has_open = true;
      for (uint32_t i = 0; i < part.count; ++i) {
        CHECK(turn_[ticket.tensors[part.first + i].data] == (*left)[ticket.rank][part.key]);
      }
      if (part.is_push) ++(*left)[ticket.rank][part.key];
    }
    CHECK(has_open);
  }

  uint32_t Live() const { return static_cast<uint32_t>(live_.size()); }

  // One call over some keys, in ascending order.
  void Issue() {
    const Rank rank = live_[Pick(Live())];
    if (keys_ > 1 && (only_lists_ || Pick(8) == 0)) return IssueList(rank);
    const uint32_t what = Pick(4);
    std::vector<KeyId> keys;
    for (KeyId key = 0; key < keys_; ++key) {
      if (Pick(2) == 0) keys.push_back(key);
    }
    if (keys.empty()) return;
    if (what == 3) return EnqueueView(rank, keys[0]);
    Enqueue(rank, keys, what != 1, what != 0);
  }

  void EnqueueView(Rank rank, KeyId key) {
    Ticket* const ticket = rounds_.NewTicket();
    ticket->rank = rank;
    ticket->id = ++last_id_;
    ticket->deadline_ms = ticket->priority = 0;
    ticket->out_bytes = 0;
    open_[ticket->id] = rank;
    asked_[ticket->id].push_back({key, pushes_[rank][key]});
    ticket->parts.push_back({.ticket = ticket,
                             .key = key,
                             .first = 0,
                             .count = 0,
                             .is_push = false,
                             .is_view = true,
                             .is_taken = false,
                             .has_ended = false,
                             .next = nullptr});
    ticket->shown.push_back({kNoBuffer, 0});
    Send(ticket);
  }

  void Send(Ticket* ticket) {
    List* const complete = lists_.Enqueue(ticket);
    if (complete != nullptr) BeginList(complete);
  }

  // One of the calls that a rank makes again and again: on all keys, on all with other tensors, or
  // on all but the first.
  void IssueList(Rank rank) {
    const size_t which = size_t{rank} * kKept + Pick(8) % kKept;
    if (kept_.size() <= which) kept_.resize(which + 1, nullptr);
    Ticket*& ticket = kept_[which];
    if (ticket == nullptr) {
      std::vector<KeyId> keys;
      for (KeyId key = which % kKept == 2 ? 1 : 0; key < keys_; ++key) keys.push_back(key);
      ticket = rounds_.NewTicket();
      ticket->is_kept = true;
      Fill(ticket, rank, keys, true, true);
    } else if (ticket->is_open) {
      return;
    }
    ticket->rank = rank;
    ticket->id = ++last_id_;
    ticket->deadline_ms = ticket->priority = 0;
    ticket->out_bytes = 0;
    open_[ticket->id] = rank;
    NoteTurns(*ticket);
    Send(ticket);
  }

  // A list that all live ranks have come to: now and then something keeps it from going as a whole.
  void BeginList(List* list) {
    const Lineup* const lineup = lists_.LineupOf(list);
    if (lineup == nullptr || Pick(8) == 0) return lists_.Spread(list);
    CHECK(lineup->jobs.size() == list->keys.size());
    for (const Job& job : lineup->jobs) {
      CHECK(job.is_round && !job.moves && !IsPinned(homes_[job.key]) && !IsRunning(job.key));
      CheckRound(job);
      for (const void* const out : job.outs) CheckOut(job, out);
      // Each live rank's tensors of the list, and no others.
      CHECK(job.inputs.size() >= Live() && job.outs.size() >= Live());
    }
    lists_.Begin(list);
    running_lists_.push_back({list, lineup});
  }

  bool IsRunning(KeyId key) const {
    for (const Job& job : running_) {
      if (job.key == key) return true;
    }
    for (const RunningList& each : running_lists_) {
      for (const KeyId other : each.list->keys) {
        if (other == key) return true;
      }
    }
    return false;
  }

  void EndList() {
    const size_t which = Pick(static_cast<uint32_t>(running_lists_.size()));
    const RunningList ending = running_lists_[which];
    running_lists_.erase(running_lists_.begin() + static_cast<ptrdiff_t>(which));
    for (const Job& job : ending.lineup->jobs) Write(job);
    std::vector<Ended> ended;
    lists_.Finish(ending.list, &ended);
    CHECK(ended.size() == Live());
    See(ended);
    ++done_lists_;
  }

  void Enqueue(Rank rank, const std::vector<KeyId>& keys, bool pushes, bool pulls) {
    Ticket* const ticket = rounds_.NewTicket();
    ticket->rank = rank;
    ticket->id = ++last_id_;
    ticket->deadline_ms = 0;
    ticket->priority = Pick(4) == 0 ? static_cast<double>(Pick(3)) - 1 : 0;
    ticket->out_bytes = 0;
    open_[ticket->id] = rank;
    Fill(ticket, rank, keys, pushes, pulls);
    NoteTurns(*ticket);
    Send(ticket);
  }

  // Its tensors come behind the pushes that its rank has made, and its own pushes are the next
  // ones.
  void NoteTurns(const Ticket& ticket) {
    std::vector<uint32_t>& pushes = pushes_[ticket.rank];
    for (const Part& part : ticket.parts) {
      for (uint32_t i = 0; i < part.count; ++i) {
        turn_[ticket.tensors[part.first + i].data] = pushes[part.key];
      }
      if (part.is_push) ++pushes[part.key];
    }
  }

  void Fill(Ticket* ticket, Rank rank, const std::vector<KeyId>& keys, bool pushes, bool pulls) {
    for (const bool is_push : {true, false}) {
      if (!(is_push ? pushes : pulls)) continue;
      for (const KeyId key : keys) {
        const auto first = static_cast<uint32_t>(ticket->tensors.size());
        const uint32_t count = 1 + Pick(2);
        for (uint32_t i = 0; i < count; ++i) {
          const uint32_t number = ++last_number_;
          ticket->tensors.push_back({static_cast<int32_t>(number), Name(rank, number, !is_push)});
        }
        ticket->parts.push_back({.ticket = ticket,
                                 .key = key,
                                 .first = first,
                                 .count = count,
                                 .is_push = is_push,
                                 .is_view = false,
                                 .is_taken = false,
                                 .has_ended = false,
                                 .next = nullptr});
      }
    }
  }

  void Complete(KeyId key) {
    if (consistency_ == Consistency::kAsync) return;
    uint32_t most = 0;
    for (const Rank rank : live_) most = std::max(most, pushes_[rank][key]);
    for (const Rank rank : live_) {
      while (pushes_[rank][key] < most) Enqueue(rank, {key}, true, false);
    }
  }

  bool Begin() {
    KeyId key;
    if (!rounds_.NextReady(&key)) return false;
    const bool is_round = rounds_.IsRoundNext(key);
    if (is_round && rounds_.IsHeld(key)) {
      CHECK(IsPinned(homes_[key]));
      return true;  // Goes on once views let go.
    }
    Job job;
    std::vector<Ended> ended;
    const bool has_job = rounds_.Take(key, &job, &ended);
    See(ended);
    if (!has_job) return true;
    if (job.is_round) CHECK(job.moves == IsPinned(homes_[key]));
    CHECK(job.is_round == is_round);
    CHECK(!IsRunning(key));
    if (job.is_round) {
      CheckRound(job);
    } else {
      CHECK(job.inputs.empty() && !job.outs.empty());
    }
    for (const void* const out : job.outs) CheckOut(job, out);
    running_.push_back(job);
    return true;
  }

  // Each live rank once, ascending, with its push of this round; or one push of one rank.
  void CheckRound(const Job& job) {
    CHECK(!job.inputs.empty());
    std::vector<Rank> seen;
    for (const void* const input : job.inputs) {
      CHECK(!IsOut(input));
      const Rank rank = RankOf(input);
      CHECK(turn_[input] == pushed_[rank][job.key]);
      if (!seen.empty() && seen.back() == rank) continue;
      CHECK(seen.empty() || seen.back() < rank);
      seen.push_back(rank);
    }
    CHECK(consistency_ == Consistency::kSync ? seen == live_ : seen.size() == 1);
    for (const Rank rank : seen) ++pushed_[rank][job.key];
    if (consistency_ == Consistency::kSsp) CheckAhead(job.key, seen[0]);
    ++versions_[job.key];
  }

  // A rank is not too far ahead of what the others have at least issued, and no further than one
  // push of theirs that is next.
  void CheckAhead(KeyId key, Rank ahead) {
    for (const Rank rank : live_) {
      CHECK(pushes_[rank][key] + staleness_ >= pushed_[ahead][key]);
      CHECK(pushed_[rank][key] + staleness_ + 1 >= pushed_[ahead][key]);
    }
  }

  // Where nothing can go on, nobody is too far ahead, and who waits has a reason to.
  void CheckPace() {
    for (KeyId key = 0; key < keys_; ++key) {
      uint32_t least = UINT32_MAX, most = 0, issued = UINT32_MAX;
      for (const Rank rank : live_) {
        least = std::min(least, pushed_[rank][key]);
        most = std::max(most, pushed_[rank][key]);
        issued = std::min(issued, pushes_[rank][key]);
      }
      CHECK(most - least <= staleness_);
      if (keys_ > 1) continue;  // With one key nothing waits but for the slowest rank.
      for (const Rank rank : live_) {
        CHECK(pushed_[rank][key] == std::min(pushes_[rank][key], issued + staleness_));
      }
    }
  }

  void CheckClocks() {
    for (KeyId key = 0; key < keys_; ++key) {
      for (Rank rank = 0; rank < ranks_; ++rank) {
        const bool counts = consistency_ == Consistency::kSsp;
        CHECK(clocks_[key][rank] == (counts ? pushes_[rank][key] : 0));
      }
    }
  }

  // A pull sees every push that its rank made before it, and of a synchronous key nothing later;
  // where a rank may be ahead, what the others must have made, and in step nothing later.
  void CheckOut(const Job& job, const void* out) {
    CHECK(IsOut(out));
    CHECK(turn_[out] == pushed_[RankOf(out)][job.key]);
    CHECK(consistency_ != Consistency::kSync || versions_[job.key] == turn_[out]);
    if (consistency_ != Consistency::kSsp) return;
    for (const Rank rank : live_) {
      CHECK(pushed_[rank][job.key] + staleness_ >= turn_[out]);
      CHECK(pushed_[rank][job.key] <= turn_[out] + staleness_);
    }
  }

  bool End() {
    if (!running_lists_.empty() && (running_.empty() || Pick(2) == 0)) return EndList(), true;
    if (running_.empty()) return false;
    const size_t which = Pick(static_cast<uint32_t>(running_.size()));
    const Job job = running_[which];
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(which));
    std::vector<Ended> ended;
    if (job.is_round) Write(job);
    rounds_.Finish(job, &ended);
    See(ended);
    return true;
  }

  // The job's round writes the buffer that the key is in, or the other one: none that views hold.
  void Write(const Job& job) {
    BufferId& home = homes_[job.key];
    if (job.moves) home ^= 1;
    CHECK(!IsPinned(home));
    contents_[home] = ++made_[job.key];
  }

  void See(const std::vector<Ended>& ended) {
    for (const Ended& each : ended) {
      CHECK(open_.count(each.id) == 1 && open_[each.id] == each.rank);
      open_.erase(each.id);
      const auto& asked = asked_[each.id];
      CHECK(asked.size() == each.shown.size());
      for (size_t i = 0; i < asked.size(); ++i) {
        const Shown& shown = each.shown[i];
        CHECK(consistency_ != Consistency::kSync ? shown.version >= asked[i].turn
                                                 : shown.version == asked[i].turn);
        CHECK(contents_[shown.buffer] == shown.version);
        held_.push_back({asked[i].key, shown, each.rank});
      }
      asked_.erase(each.id);
    }
  }

  bool IsPinned(BufferId buffer) const {
    bool is_pinned = false;
    rounds_.ForEachPin([&](const Pin& pin) { is_pinned |= pin.buffer == buffer; });
    return is_pinned;
  }

  // A view has shown the same version all the time, and is let go.
  bool Release() {
    if (held_.empty()) return false;
    const size_t which = Pick(static_cast<uint32_t>(held_.size()));
    const Held held = held_[which];
    held_.erase(held_.begin() + static_cast<ptrdiff_t>(which));
    CHECK(contents_[held.shown.buffer] == held.shown.version);
    CHECK(rounds_.HasPin(held.key, held.shown.buffer, held.rank));
    rounds_.DropPin(held.key, held.shown.buffer, held.rank);
    return true;
  }

  std::mt19937_64 random_;
  Rank ranks_;
  const uint32_t keys_;
  const Consistency consistency_;
  const uint32_t staleness_;
  Rounds rounds_;
  Lists lists_{&rounds_};
  std::vector<Rank> live_;
  // By key and rank, as the rounds keep them.
  std::vector<std::vector<double>> clocks_;
  double last_id_ = 0;
  uint32_t last_number_ = 0;
  std::map<double, Rank> open_;
  // By rank and key: pushes that were issued, and those that were taken into a round.
  std::vector<std::vector<uint32_t>> pushes_, pushed_;
  std::vector<uint32_t> versions_;
  // How many pushes of its rank come before a tensor.
  std::map<const void*, uint32_t> turn_;
  std::vector<Job> running_;
  struct RunningList {
    List* list;
    const Lineup* lineup;
  };
  std::vector<RunningList> running_lists_;
  uint32_t done_lists_ = 0;
  // Calls that come again: so many of each rank.
  static constexpr size_t kKept = 3;
  std::vector<Ticket*> kept_;
  bool only_lists_ = false;
  // Of each key: the buffer it is in, and its versions; of each buffer, the version in it.
  std::vector<BufferId> homes_;
  std::vector<bool> has_other_;
  std::map<KeyId, double> made_;
  std::map<BufferId, double> contents_;
  // What calls that ask for views ask for: keys, and how many pushes of their rank come before.
  struct Asked {
    KeyId key;
    uint32_t turn;
  };
  std::map<double, std::vector<Asked>> asked_;
  struct Held {
    KeyId key;
    Shown shown;
    Rank rank;
  };
  std::vector<Held> held_;
};

}  // namespace

void TestRounds(uint32_t schedules) {
  const char* const given = std::getenv("TENSORKV_SEED");
  const uint64_t first =
      given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
  std::printf("rounds: TENSORKV_SEED=%llu  ", static_cast<unsigned long long>(first));
  std::fflush(stdout);
  uint64_t lists = 0;
  for (uint64_t seed = first; seed < first + schedules; ++seed) {
    lists += Schedule(seed).Run();
    Watchdog::Note();
  }
  CHECK(schedules < 100 || lists > 0);
}

}  // namespace tensorkv::test
