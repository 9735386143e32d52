#include "rounds.h"

#include <algorithm>
#include <utility>

namespace tensorkv::engine {

Rounds::Rounds(Rank ranks, Consistency consistency, double staleness)
    : ranks_(ranks),
      consistency_(consistency),
      staleness_(staleness),
      is_live_(ranks, 0),
      open_(ranks) {}

Rounds::~Rounds() {
  Clear();
  for (const Ticket* each : free_) delete each;
}

void Rounds::Resize(size_t count) {
  if (count <= keys_.size()) return;
  keys_.resize(count);
  lanes_.resize(count * ranks_, nullptr);
}

void Rounds::Grow(Rank ranks) {
  if (ranks <= ranks_) return;
  ranks_ = ranks;
  lanes_.assign(keys_.size() * ranks, nullptr);
  is_live_.resize(ranks, 0);
  open_.resize(ranks);
}

void Rounds::SetBuffers(KeyId id, BufferId stored, BufferId other, double version) {
  Key& key = keys_[id];
  key.buffers[0] = stored;
  key.buffers[1] = other;
  key.home = 0;
  key.version = version;
  pin_count_ -= key.pin_count[0] + key.pin_count[1];
  key.pin_count[0] = key.pin_count[1] = 0;
  std::fill(key.pins.begin(), key.pins.end(), 0);
}

int Rounds::PlaceOf(const Key& key, BufferId buffer) const {
  if (buffer == kNoBuffer) return -1;
  return buffer == key.buffers[0] ? 0 : buffer == key.buffers[1] ? 1 : -1;
}

uint32_t& Rounds::PinsOf(KeyId id, int place, Rank rank) {
  Key& key = keys_[id];
  if (key.pins.empty()) {
    key.pins.resize(size_t{2} * ranks_, 0);
    pinned_.push_back(id);
  }
  return key.pins[static_cast<size_t>(place) * ranks_ + rank];
}

bool Rounds::AddPin(const Pin& pin) {
  if (pin.key >= keys_.size() || pin.rank >= ranks_) return false;
  Key& key = keys_[pin.key];
  const int place = PlaceOf(key, pin.buffer);
  if (place < 0) return false;
  PinsOf(pin.key, place, pin.rank) += pin.count;
  key.pin_count[place] += pin.count;
  pin_count_ += pin.count;
  return true;
}

bool Rounds::HasPin(KeyId id, BufferId buffer, Rank rank) const {
  if (id >= keys_.size()) return false;
  const Key& key = keys_[id];
  const int place = PlaceOf(key, buffer);
  return place >= 0 && !key.pins.empty() &&
         key.pins[static_cast<size_t>(place) * ranks_ + rank] > 0;
}

void Rounds::DropPin(KeyId id, BufferId buffer, Rank rank) {
  if (!HasPin(id, buffer, rank)) return;
  const int place = PlaceOf(keys_[id], buffer);
  --PinsOf(id, place, rank);
  --pin_count_;
  if (--keys_[id].pin_count[place] == 0) Review(id);
}

void Rounds::SetLive(const std::vector<Rank>& live) {
  is_live_.assign(ranks_, 0);
  for (const Rank rank : live) is_live_[rank] = 1;
  live_count_ = static_cast<uint32_t>(live.size());
}

Ticket* Rounds::NewTicket() {
  Ticket* ticket;
  if (free_.empty()) {
    ticket = new Ticket();
  } else {
    ticket = free_.back();
    free_.pop_back();
  }
  ticket->serial = ++last_serial_;
  ticket->list = 0;
  return ticket;
}

void Rounds::PutBack(Ticket* ticket) {
  if (ticket->is_kept) return;
  ticket->is_marked = false;
  ticket->parts.clear();
  ticket->tensors.clear();
  ticket->shown.clear();
  free_.push_back(ticket);
}

void Rounds::Open(Ticket* ticket) {
  Queue& open = open_[ticket->rank];
  ticket->before = open.last;
  ticket->after = nullptr;
  (open.last == nullptr ? open.first : open.last->after) = ticket;
  open.last = ticket;
  if (ticket->priority != 0) ++prioritised_;
  ticket->is_open = true;
  ticket->open_parts = static_cast<uint32_t>(ticket->parts.size());
  if (!ticket->is_marked) return;
  for (Part& part : ticket->parts) part.is_taken = part.has_ended = false;
  ticket->is_marked = false;
}

void Rounds::Spread(Ticket* ticket) {
  ticket->is_spread = ticket->is_marked = true;
  ++spread_;
  for (Part& part : ticket->parts) {
    if (!Append(&part)) continue;
    const Key& key = keys_[part.key];
    if (!key.is_busy && (part.is_push ? IsClosable(part.key) : MayServe(&part)))
      MakeReady(part.key);
  }
}

// The part behind `part` in the lane that ends with `last`.
Part* Rounds::Follower(const Part* part, const Part* last) {
  return part == last ? nullptr : part->next;
}

// Whether nothing of its rank is before it.
bool Rounds::Append(Part* part) {
  const Rank rank = part->ticket->rank;
  Part*& last = Last(part->key, rank);
  const bool is_first = last == nullptr;
  Key& key = keys_[part->key];
  ++key.parts;
  if (is_first) {
    part->next = part;
    ++key.lanes;
    if (part->is_push && is_live_[rank]) ++key.pushing;
  } else {
    part->next = last->next;
    last->next = part;
  }
  last = part;
  return is_first;
}

// Pulls see what the others have to have made. They need not wait for the pushes of their call on
// other keys: their outs share no memory with those.
bool Rounds::MayServe(const Part* head) const {
  if (head == nullptr || head->is_push) return false;
  if (consistency_ != Consistency::kSsp) return true;
  const Rank rank = head->ticket->rank;
  return MaySee(head->key, rank, keys_[head->key].clocks[rank]);
}

// Whether no other live rank is too far behind for a pull of `rank` at `clock`.
bool Rounds::MaySee(KeyId id, Rank rank, double clock) const {
  const double* const clocks = keys_[id].clocks;
  for (Rank other = 0; other < ranks_; ++other) {
    if (is_live_[other] && other != rank && clocks[other] < clock - staleness_) return false;
  }
  return true;
}

bool Rounds::IsClosable(KeyId id) const {
  const Key& key = keys_[id];
  switch (consistency_) {
    case Consistency::kSync:
      return key.pushing > 0 && key.pushing == live_count_;
    case Consistency::kAsync:
      return key.pushing > 0;
    case Consistency::kSsp:
      return key.pushing > 0 && MayEnd(id, Slowest(id));
  }
  return false;
}

// The live rank that pushes and is furthest behind: if it has to wait, the others have to as well.
Rank Rounds::Slowest(KeyId id) const {
  const double* const clocks = keys_[id].clocks;
  Rank slowest = ranks_;
  for (Rank rank = 0; rank < ranks_; ++rank) {
    const Part* const head = Head(id, rank);
    if (head == nullptr || !head->is_push || !is_live_[rank]) continue;
    if (slowest == ranks_ || clocks[rank] < clocks[slowest]) slowest = rank;
  }
  return slowest;
}

// Whether every live rank has made the push that the one at the head of this lane waits for.
bool Rounds::MayEnd(KeyId id, Rank rank) const {
  const double* const clocks = keys_[id].clocks;
  const double needed = clocks[rank] + 1 - staleness_;
  for (Rank other = 0; other < ranks_; ++other) {
    if (!is_live_[other]) continue;
    const Part* const head = Head(id, other);
    const double made = clocks[other] + (head != nullptr && head->is_push ? 1 : 0);
    if (made < needed) return false;
  }
  return true;
}

// Queues `key` if there is something to do for it.
void Rounds::Review(KeyId id) {
  const Key& key = keys_[id];
  if (key.parts == 0 || key.is_busy) return;  // A busy one is reviewed when its job ends.
  bool is_ready = IsClosable(id);
  for (Rank rank = 0; !is_ready && rank < ranks_; ++rank) is_ready = MayServe(Head(id, rank));
  if (is_ready) MakeReady(id);
}

double Rounds::PriorityOf(KeyId key) const {
  if (prioritised_ == 0) return 0;
  bool is_first = true;
  double highest = 0;
  for (Rank rank = 0; rank < ranks_; ++rank) {
    const Part* const head = Head(key, rank);
    if (head == nullptr || (!is_first && head->ticket->priority <= highest)) continue;
    highest = head->ticket->priority;
    is_first = false;
  }
  return highest;
}

void Rounds::MakeReady(KeyId id) {
  Key& key = keys_[id];
  const double priority = PriorityOf(id);
  if (key.place != Place::kNowhere && key.priority == priority) return;
  if (key.place == Place::kOrdered) ordered_.erase({-key.priority, key.turn, id});
  key.priority = priority;
  key.turn = ++last_turn_;
  key.place = priority == 0 ? Place::kLine : Place::kOrdered;
  if (priority == 0) {
    line_.emplace_back(id, key.turn);
  } else {
    ordered_.emplace(-priority, key.turn, id);
  }
}

bool Rounds::NextReady(KeyId* id) {
  const auto is_stale = [this](const std::pair<KeyId, uint64_t>& entry) {
    const Key& key = keys_[entry.first];
    return key.place != Place::kLine || key.turn != entry.second;
  };
  while (!line_.empty() && is_stale(line_.front())) line_.pop_front();
  if (!HasUrgent() && !line_.empty()) {
    *id = line_.front().first;
    line_.pop_front();
  } else if (!ordered_.empty()) {
    *id = std::get<2>(*ordered_.begin());
    ordered_.erase(ordered_.begin());
  } else {
    return false;
  }
  keys_[*id].place = Place::kNowhere;
  return true;
}

bool Rounds::IsRoundNext(KeyId id) const {
  for (Rank rank = 0; rank < ranks_; ++rank) {
    if (MayServe(Head(id, rank))) return false;
  }
  return IsClosable(id);
}

bool Rounds::IsHeld(KeyId id) const {
  const Key& key = keys_[id];
  if (key.pin_count[key.home] == 0) return false;
  return key.buffers[1 - key.home] == kNoBuffer || key.pin_count[1 - key.home] > 0;
}

bool Rounds::Take(KeyId id, Job* job, std::vector<Ended>* ended) {
  Key& key = keys_[id];
  if (key.is_busy) return false;
  job->key = id;
  job->moves = false;
  job->inputs.clear();
  job->outs.clear();
  const bool has_pulls = key.lanes > key.pushing && TakePulls(id, job);
  job->is_round = !has_pulls;
  if (has_pulls && job->outs.empty()) {
    EndTaken(id, ended);
    Review(id);
    return false;
  }
  if (job->is_round) {
    if (!IsClosable(id)) return false;
    TakeRound(id, job);
    job->moves = key.pin_count[key.home] > 0;
  }
  key.is_busy = true;
  return true;
}

// The pulls that nothing is before; whether there are any.
bool Rounds::TakePulls(KeyId key, Job* job) {
  bool has_pulls = false;
  for (Rank rank = 0; rank < ranks_; ++rank) {
    const Part* const last = Last(key, rank);
    for (Part* part = Head(key, rank); MayServe(part); part = Follower(part, last)) {
      part->is_taken = has_pulls = true;
      for (uint32_t i = 0; i < part->count; ++i) {
        job->outs.push_back(part->ticket->tensors[part->first + i].data);
      }
    }
  }
  return has_pulls;
}

// The pushes of a round in ascending order of ranks, and the pulls of the same calls behind them.
void Rounds::TakeRound(KeyId key, Job* job) {
  job->parts = 0;
  const bool is_sync = consistency_ == Consistency::kSync;
  for (Rank rank = consistency_ == Consistency::kSsp ? Slowest(key) : 0; rank < ranks_; ++rank) {
    Part* const push = Head(key, rank);
    if (push == nullptr || !push->is_push || !is_live_[rank]) continue;
    push->is_taken = true;
    ++job->parts;
    for (uint32_t i = 0; i < push->count; ++i) {
      job->inputs.push_back(push->ticket->tensors[push->first + i].data);
    }
    TakeFused(push, rank, job);
    if (!is_sync) break;
  }
}

// The pull that follows `push` in its call, if the rank may see the next version at once.
void Rounds::TakeFused(Part* push, Rank rank, Job* job) {
  const Ticket& ticket = *push->ticket;
  Part* const pull = Follower(push, Last(push->key, rank));
  if (pull == nullptr || pull->ticket != &ticket || pull->is_push || pull->is_view) return;
  if (consistency_ == Consistency::kSsp &&
      !MaySee(push->key, rank, keys_[push->key].clocks[rank] + 1)) {
    return;
  }
  pull->is_taken = true;
  ++job->parts;
  for (uint32_t i = 0; i < pull->count; ++i) {
    job->outs.push_back(ticket.tensors[pull->first + i].data);
  }
}

void Rounds::Finish(const Job& job, std::vector<Ended>* ended) {
  Key& key = keys_[job.key];
  key.is_busy = false;
  if (job.is_round) key.version += 1;
  if (job.moves) key.home = static_cast<uint8_t>(1 - key.home);
  // Nothing leaves the lanes of a busy key, so as many parts are the same parts.
  if (job.is_round && job.parts == key.parts) return EndAll(job.key, ended);
  EndTaken(job.key, ended);
  Review(job.key);
}

// Ends all that a key has in its lanes: a round has taken it, so in each lane is a push of a call
// and perhaps the pull behind it.
void Rounds::EndAll(KeyId id, std::vector<Ended>* ended) {
  Key& key = keys_[id];
  for (Rank rank = 0; rank < ranks_; ++rank) {
    Part* const last = std::exchange(Last(id, rank), nullptr);
    if (last == nullptr) continue;
    Part* const push = last->next;
    push->has_ended = last->has_ended = true;
    if (consistency_ == Consistency::kSsp) ++key.clocks[rank];
    EndParts(push->ticket, push == last ? 1 : 2, ended);
  }
  key.parts = key.lanes = key.pushing = 0;
}

void Rounds::EndTaken(KeyId key, std::vector<Ended>* ended) {
  for (Rank rank = 0; rank < ranks_; ++rank) {
    const Part* const head = Head(key, rank);
    if (head != nullptr && head->is_taken) EndLane(key, rank, ended);
  }
}

// Ends the parts at the head of a lane that were taken: there is one.
void Rounds::EndLane(KeyId id, Rank rank, std::vector<Ended>* ended) {
  Key& key = keys_[id];
  Part*& last = Last(id, rank);
  Part* head = last->next;
  if (head->is_push && is_live_[rank]) --key.pushing;
  for (bool is_last = false; !is_last && head->is_taken;) {
    Part* const part = head;
    is_last = part == last;
    head = part->next;
    --key.parts;
    if (part->is_push && consistency_ == Consistency::kSsp) ++key.clocks[rank];
    if (part->is_view) Show(*part);
    if (is_last) {
      last = nullptr;
      --key.lanes;
    } else {
      last->next = head;
    }
    part->has_ended = true;
    EndParts(part->ticket, 1, ended);
  }
  if (last != nullptr && head->is_push && is_live_[rank]) ++key.pushing;
}

// Pins what the key is now.
void Rounds::Show(const Part& part) {
  Key& key = keys_[part.key];
  Ticket& ticket = *part.ticket;
  ticket.shown[part.first] = {key.buffers[key.home], key.version};
  ++PinsOf(part.key, key.home, ticket.rank);
  ++key.pin_count[key.home];
  ++pin_count_;
}

void Rounds::EndParts(Ticket* ticket, uint32_t count, std::vector<Ended>* ended) {
  ticket->open_parts -= count;
  if (ticket->open_parts == 0) End(ticket, ended);
}

void Rounds::End(Ticket* ticket, std::vector<Ended>* ended) {
  ended->push_back({ticket->rank, ticket->id, ticket->out_bytes, std::move(ticket->shown)});
  Free(ticket);
}

void Rounds::LetGo(KeyId key) {
  keys_[key].is_busy = false;
  Review(key);
}

void Rounds::Free(Ticket* ticket) {
  Queue& open = open_[ticket->rank];
  (ticket->before == nullptr ? open.first : ticket->before->after) = ticket->after;
  (ticket->after == nullptr ? open.last : ticket->after->before) = ticket->before;
  if (ticket->priority != 0) --prioritised_;
  if (ticket->is_spread) --spread_;
  ticket->is_open = ticket->is_spread = false;
  PutBack(ticket);
}

void Rounds::Clear() {
  for (Queue& open : open_) {
    while (open.first != nullptr) {
      for (const Part& part : open.first->parts) Last(part.key, open.first->rank) = nullptr;
      Free(open.first);
    }
  }
  for (Key& key : keys_) {
    key.parts = key.lanes = key.pushing = 0;
    key.place = Place::kNowhere;
  }
  line_.clear();
  ordered_.clear();
  for (const KeyId id : pinned_) {
    keys_[id].pin_count[0] = keys_[id].pin_count[1] = 0;
    keys_[id].pins.clear();
  }
  pinned_.clear();
  pin_count_ = 0;
}

}  // namespace tensorkv::engine
