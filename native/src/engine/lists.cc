#include "lists.h"

#include <algorithm>
#include <utility>

namespace tensorkv::engine {
namespace {

// How many parts a list has at least: a key of the CPU is as fast by itself.
size_t FewestParts(const Ticket& ticket) { return ticket.device == kOnCpu ? 4 : 2; }

bool IsOf(const Ticket& ticket, const List& list) {
  const auto is_same = [](KeyId key, const Part& part) { return key == part.key; };
  return Lists::IsList(ticket) && ticket.parts.size() == 2 * list.keys.size() &&
         std::equal(list.keys.begin(), list.keys.end(), ticket.parts.begin(), is_same);
}

// Adds the tensors of a part.
template <typename Pointer>
void AddTensors(const Ticket& ticket, const Part& part, std::vector<Pointer>* to) {
  for (uint32_t i = 0; i < part.count; ++i) to->push_back(ticket.tensors[part.first + i].data);
}

}  // namespace

bool Lists::IsList(const Ticket& ticket) {
  const std::vector<Part>& parts = ticket.parts;
  const size_t count = parts.size() / 2;
  if (parts.size() < FewestParts(ticket) || parts.size() != 2 * count) return false;
  for (size_t i = 0; i < count; ++i) {
    const Part& push = parts[i];
    const Part& pull = parts[count + i];
    if (!push.is_push || pull.is_push || pull.is_view || pull.key != push.key) return false;
  }
  return true;
}

List* Lists::Enqueue(Ticket* ticket) {
  List* const list = Take(ticket);
  if (list == nullptr) {
    SpreadAll();
    rounds_->Enqueue(ticket);
    return nullptr;
  }
  return list->count == rounds_->live_count() ? list : nullptr;
}

// The list that the ticket may go with; null if there is none.
List* Lists::ListFor(Ticket* ticket) {
  if (!ticket->is_kept || ticket->priority != 0 || !rounds_->IsStill()) return nullptr;
  if (ticket->parts.size() < FewestParts(*ticket) || !rounds_->IsLive(ticket->rank)) return nullptr;
  List* const list = Of(ticket);
  if (list == nullptr || list->is_unfit || list->is_running) return nullptr;
  list->arrived.resize(rounds_->ranks(), nullptr);
  return list->arrived[ticket->rank] == nullptr ? list : nullptr;
}

List* Lists::Take(Ticket* ticket) {
  List* const list = ListFor(ticket);
  if (list == nullptr) return nullptr;
  rounds_->Open(ticket);
  list->arrived[ticket->rank] = ticket;
  if (list->count++ == 0) ++open_;
  return list;
}

// The list of a ticket; null if it has none.
List* Lists::Of(Ticket* ticket) {
  if (owners_.size() < rounds_->size()) owners_.resize(rounds_->size(), nullptr);
  List* list = owners_[ticket->parts[0].key];
  if (list != nullptr && list->id == ticket->list) return list;
  if (list == nullptr || !IsOf(*ticket, *list)) list = IsList(*ticket) ? Make(*ticket) : nullptr;
  if (list != nullptr) ticket->list = list->id;
  return list;
}

// Keys that belong to lists without open tickets leave those.
List* Lists::Make(const Ticket& ticket) {
  const size_t count = ticket.parts.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const List* const owner = owners_[ticket.parts[i].key];
    if (owner != nullptr && owner->count > 0) return nullptr;
  }
  List& list = lists_.emplace_back();
  list.id = ++last_id_;
  list.device = ticket.device;
  for (size_t i = 0; i < count; ++i) {
    const KeyId key = ticket.parts[i].key;
    if (owners_[key] == &list) {  // The key comes twice.
      Drop(key);
      return nullptr;
    }
    Drop(key);
    owners_[key] = &list;
    list.keys.push_back(key);
  }
  return &list;
}

// There is no list with this key any more.
void Lists::Drop(KeyId key) {
  List* const list = owners_[key];
  if (list == nullptr) return;
  for (const KeyId each : list->keys) owners_[each] = nullptr;
  lists_.remove_if([list](const List& each) { return &each == list; });
}

Lineup* Lists::LineupOf(List* list) {
  thread_local std::vector<uint64_t> serials;
  serials.clear();
  for (const Ticket* const ticket : list->arrived) {
    if (ticket != nullptr) serials.push_back(ticket->serial);
  }
  const auto end = list->lineups + List::kLineups;
  const auto lineup =
      std::find_if(list->lineups, end, [](const Lineup& each) { return each.serials == serials; });
  if (lineup == end) {
    list->lineups[list->next_lineup] = {
        .serials = serials, .jobs = {}, .overlaps = {}, .ends = {}, .remote = nullptr};
    list->next_lineup = (list->next_lineup + 1) % List::kLineups;
    return nullptr;
  }
  if (!lineup->jobs.empty()) return lineup;
  const size_t count = list->keys.size();
  for (size_t i = 0; i < count; ++i) {
    Job& job = lineup->jobs.emplace_back();
    job = {.key = list->keys[i],
           .is_round = true,
           .moves = false,
           .parts = 0,
           .inputs = {},
           .outs = {}};
    for (const Ticket* const ticket : list->arrived) {
      if (ticket == nullptr) continue;
      AddTensors(*ticket, ticket->parts[i], &job.inputs);
      AddTensors(*ticket, ticket->parts[count + i], &job.outs);
    }
  }
  return lineup;
}

void Lists::Finish(List* list, std::vector<Ended>* ended) {
  for (const KeyId key : list->keys) rounds_->CountVersion(key);
  for (Ticket* const ticket : list->arrived) {
    if (ticket != nullptr) rounds_->End(ticket, ended);
  }
  if (list->is_held) {
    for (const KeyId key : list->keys) rounds_->LetGo(key);
  }
  Forget(list);
}

void Lists::Spread(List* list) {
  const std::vector<Ticket*> tickets = std::exchange(list->arrived, {});
  Forget(list);
  for (Ticket* const ticket : tickets) {
    if (ticket != nullptr) rounds_->Spread(ticket);
  }
}

// The tickets of all lists go to the lanes of their keys; where jobs are being done, keys are held
// until they are.
void Lists::SpreadAll() {
  for (auto list = lists_.begin(); open_ > 0 && list != lists_.end(); ++list) {
    if (list->is_running && !list->is_held) {
      list->is_held = true;
      for (const KeyId key : list->keys) rounds_->Hold(key);
    } else if (list->count > 0 && !list->is_running) {
      Spread(&*list);
    }
  }
}

void Lists::Clear() {
  for (List& list : lists_) {
    if (list.count > 0) Forget(&list);
    list.is_unfit = false;  // Fewer devices may come, or plans change.
  }
}

void Lists::Close() {
  lists_.clear();
  owners_.clear();
  open_ = 0;
}

void Lists::Forget(List* list) {
  list->arrived.clear();
  if (list->count > 0) --open_;
  list->count = 0;
  list->is_running = list->is_held = false;
}

}  // namespace tensorkv::engine
