#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <tuple>
#include <vector>

#include "place.h"

// Decides what may happen to a key, and when: which pulls may read it, when its round closes, whose
// turn it is. It has no threads and runs nothing; actors/rounds.ts says the same of all requests,
// this of plain ones.
namespace tensorkv::engine {

using KeyId = uint32_t;
using Rank = uint32_t;

struct Ticket;

// The number of a buffer that holds, or held, a stored tensor.
using BufferId = int32_t;
constexpr BufferId kNoBuffer = -1;

// What a request says of one key: the values of a push, or the outs of a pull; a view has none.
struct Part {
  Ticket* ticket;
  KeyId key;
  // Where its tensors are among those of the ticket, or what it was shown.
  uint32_t first;
  uint32_t count;
  bool is_push;
  bool is_view;
  // A job works on it; then it has ended.
  bool is_taken;
  bool has_ended;
  Part* next;  // in its lane, which is a circle
};

// A device's tensor: its number there, and its elements.
struct Tensor {
  int32_t number;
  char* data;
};

// What a view shows: the buffer stays as it is until its pin is released.
struct Shown {
  BufferId buffer;
  double version;
};

// The pins of a rank on a buffer of a key.
struct Pin {
  KeyId key;
  BufferId buffer;
  Rank rank;
  uint32_t count;
};

// A request on its way. No out of it shares memory with a value or an out of another key, so that
// the keys of a call may be done in any order.
struct Ticket {
  Rank rank;
  // Where all its keys and tensors are.
  int device = kOnCpu;
  double id;
  double deadline_ms;
  double priority;
  uint32_t open_parts;
  std::vector<Part> parts;
  std::vector<Tensor> tensors;
  // Of its views, in order.
  std::vector<Shown> shown;
  // Of all its outs.
  size_t out_bytes;
  // No ticket had it before: while it is kept, it stands for its parts and tensors.
  uint64_t serial = 0;
  // The list that it goes as, see Lists; 0: none yet.
  uint64_t list = 0;
  // It has been opened, and has not ended.
  bool is_open = false;
  // Its parts are in the lanes of their keys.
  bool is_spread = false;
  // Its parts were, and still say so.
  bool is_marked = false;
  // Its parts and tensors stay when it has ended, for whoever keeps it.
  bool is_kept = false;
  // Neighbours among the open tickets of the rank, oldest first.
  Ticket* before;
  Ticket* after;
};

// One thing to do for one key. Nothing else happens to the key until it is finished.
struct Job {
  KeyId key;
  // The sum of `inputs`, in order, makes the next version; else the key is only read.
  bool is_round;
  // The next version goes to the key's other buffer, for views hold this one.
  bool moves;
  // How many parts a round has taken.
  uint32_t parts;
  std::vector<const void*> inputs;
  // Where the tensor is written to, after the round if there is one.
  std::vector<void*> outs;
};

// A ticket that has ended.
struct Ended {
  Rank rank;
  double id;
  size_t out_bytes;
  std::vector<Shown> shown;
};

// What a round takes: a push of each live rank; any push by itself; or any push of a rank that is
// not too far ahead, see actors/closing.ts.
enum class Consistency : uint8_t { kSync, kAsync, kSsp };

class Rounds {
 public:
  // `staleness`: how many pushes a rank may be ahead of the slowest, with kSsp.
  Rounds(Rank ranks, Consistency consistency, double staleness);
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;
  ~Rounds();

  // Makes room for keys 0 to `count` - 1.
  void Resize(size_t count);
  // Where the pushes of each rank on `key` that have ended are counted, with kSsp. Only while no
  // ticket is open.
  void SetClocks(KeyId key, double* clocks) { keys_[key].clocks = clocks; }
  // Whether it has them, if they are needed.
  bool HasClocks(KeyId key) const {
    return consistency_ != Consistency::kSsp || keys_[key].clocks != nullptr;
  }
  size_t size() const { return keys_.size(); }

  // The buffers of a key: the one that holds it, with `version`, and another one or none.
  void SetBuffers(KeyId key, BufferId stored, BufferId other, double version);
  // Which of the two holds the key.
  int HomeOf(KeyId key) const { return keys_[key].home; }
  BufferId BufferOf(KeyId key, int place) const { return keys_[key].buffers[place]; }
  // Pins a buffer as often as `pin` says; false if it is none of its key.
  bool AddPin(const Pin& pin);
  // Whether the rank has a pin on this buffer of the key, and the end of one.
  bool HasPin(KeyId key, BufferId buffer, Rank rank) const;
  void DropPin(KeyId key, BufferId buffer, Rank rank);
  // Calls see(pin) for every buffer and rank with pins.
  template <typename See>
  void ForEachPin(See see) const {
    for (const KeyId id : pinned_) {
      const Key& key = keys_[id];
      for (size_t i = 0; i < key.pins.size(); ++i) {
        const auto rank = static_cast<Rank>(i % ranks_);
        if (key.pins[i] > 0) see(Pin{id, key.buffers[i / ranks_], rank, key.pins[i]});
      }
    }
  }

  // Makes room for ranks 0 to `ranks` - 1. Only while no ticket is open.
  void Grow(Rank ranks);
  // Which ranks a round takes. Only while no ticket is open.
  void SetLive(const std::vector<Rank>& live);

  // A ticket to be filled: rank, id, deadline, priority, parts in order and their tensors.
  Ticket* NewTicket();
  // Takes one back that is not open, and empties it unless it is kept.
  void PutBack(Ticket* ticket);
  // Puts it behind those that its rank opened before, and its parts into their lanes.
  void Enqueue(Ticket* ticket) {
    Open(ticket);
    Spread(ticket);
  }
  // The two halves of it: no key hears of a ticket that is open and not spread.
  void Open(Ticket* ticket);
  void Spread(Ticket* ticket);

  // For tickets that are not spread. Whether a round of all live ranks could take whole tickets at
  // once: no ticket is spread, and there is no pin.
  bool IsStill() const {
    return consistency_ == Consistency::kSync && spread_ == 0 && pin_count_ == 0;
  }
  bool IsLive(Rank rank) const { return is_live_[rank] != 0; }
  uint32_t live_count() const { return live_count_; }
  Rank ranks() const { return ranks_; }
  // A key has a new version, in the buffer that it is in.
  void CountVersion(KeyId key) { keys_[key].version += 1; }
  // From Hold to LetGo nothing is taken of a key.
  void Hold(KeyId key) { keys_[key].is_busy = true; }
  void LetGo(KeyId key);
  // Ends an open ticket whose parts are not in lanes, or no longer.
  void End(Ticket* ticket, std::vector<Ended>* ended);

  // A key that may be able to go on, by priority, then in the order in which they came to be so;
  // false when there is none.
  bool NextReady(KeyId* key);
  // Whether something of a priority above 0 is ready.
  bool HasUrgent() const { return !ordered_.empty() && std::get<0>(*ordered_.begin()) < 0; }
  bool has_ready() const { return !line_.empty() || !ordered_.empty(); }
  // Whether the next thing to do for `key` is a round.
  bool IsRoundNext(KeyId key) const;
  // Whether views hold every buffer that the next version could go to.
  bool IsHeld(KeyId key) const;
  // Takes what there is to do for `key` now; false if there is nothing, or nothing but views, which
  // end at once. A round only where it is not held. Overwrites `job`.
  bool Take(KeyId key, Job* job, std::vector<Ended>* ended);
  // Ends what `Take` gave. Adds the tickets that have ended with it.
  void Finish(const Job& job, std::vector<Ended>* ended);

  // Calls see(ticket) for each open ticket, those of a rank in order.
  template <typename See>
  void ForEachOpen(See see) const {
    for (const Queue& open : open_) {
      for (const Ticket* each = open.first; each != nullptr; each = each->after) see(*each);
    }
  }
  // Forgets all tickets and pins. Only while no job is taken.
  void Clear();

 private:
  // Where a key stands in the order of what is ready.
  enum class Place : uint8_t { kNowhere, kLine, kOrdered };

  struct Key {
    double* clocks = nullptr;
    // In all lanes.
    uint32_t parts = 0;
    // Ranks with parts, and live ones whose oldest part is a push.
    uint32_t lanes = 0;
    uint32_t pushing = 0;
    bool is_busy = false;
    Place place = Place::kNowhere;
    double priority = 0;
    uint64_t turn = 0;
    double version = 0;
    BufferId buffers[2] = {kNoBuffer, kNoBuffer};
    // Which of them holds the key.
    uint8_t home = 0;
    // Of each buffer in all, and of each buffer and rank; empty where there never were any.
    uint32_t pin_count[2] = {0, 0};
    std::vector<uint32_t> pins;
  };
  // The open tickets of a rank.
  struct Queue {
    Ticket* first = nullptr;
    Ticket* last = nullptr;
  };

  Part*& Last(KeyId key, Rank rank) { return lanes_[size_t{key} * ranks_ + rank]; }
  // The oldest part of the rank on the key, or null.
  Part* Head(KeyId key, Rank rank) const {
    const Part* const last = lanes_[size_t{key} * ranks_ + rank];
    return last == nullptr ? nullptr : last->next;
  }
  static Part* Follower(const Part* part, const Part* last);
  bool Append(Part* part);
  bool MayServe(const Part* head) const;
  bool MaySee(KeyId id, Rank rank, double clock) const;
  bool IsClosable(KeyId id) const;
  Rank Slowest(KeyId id) const;
  bool MayEnd(KeyId id, Rank rank) const;
  void Review(KeyId key);
  void MakeReady(KeyId key);
  double PriorityOf(KeyId key) const;
  bool TakePulls(KeyId key, Job* job);
  void TakeRound(KeyId key, Job* job);
  void TakeFused(Part* push, Rank rank, Job* job);
  void EndAll(KeyId id, std::vector<Ended>* ended);
  void EndTaken(KeyId key, std::vector<Ended>* ended);
  void EndLane(KeyId id, Rank rank, std::vector<Ended>* ended);
  void Show(const Part& part);
  int PlaceOf(const Key& key, BufferId buffer) const;
  uint32_t& PinsOf(KeyId key, int place, Rank rank);
  void EndParts(Ticket* ticket, uint32_t count, std::vector<Ended>* ended);
  void Free(Ticket* ticket);

  Rank ranks_;
  const Consistency consistency_;
  const double staleness_;
  std::vector<uint8_t> is_live_;
  uint32_t live_count_ = 0;
  std::vector<Key> keys_;
  // The newest part of each rank on each key; its follower is the oldest.
  std::vector<Part*> lanes_;
  std::vector<Queue> open_;
  uint32_t prioritised_ = 0;
  // Open tickets that are spread.
  uint32_t spread_ = 0;
  uint64_t last_serial_ = 0;
  // Keys of priority 0, and the others by falling priority. A key that has moved on may be left in
  // the line; its turn says which entry counts.
  std::deque<std::pair<KeyId, uint64_t>> line_;
  std::set<std::tuple<double, uint64_t, KeyId>> ordered_;
  uint64_t last_turn_ = 0;
  std::vector<Ticket*> free_;
  // Keys that have or had pins, and how many pins there are.
  std::vector<KeyId> pinned_;
  uint64_t pin_count_ = 0;
};

}  // namespace tensorkv::engine
