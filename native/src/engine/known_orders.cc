#include "known_orders.h"

#include <algorithm>
#include <utility>

namespace tensorkv::engine {

bool KnownOrders::Matches(const Known& known, const int32_t* words, size_t count, uint64_t state) {
  return known.state == state && known.words.size() == count &&
         std::equal(known.words.begin(), known.words.end(), words);
}

Ticket* KnownOrders::Find(const int32_t* words, size_t count, uint64_t state) {
  if (count < kFewestWords && !has_short_) return nullptr;
  for (const Known& known : known_) {
    if (known.ticket == nullptr || known.ticket->is_open) continue;
    if (Matches(known, words, count, state)) return known.ticket;
  }
  return nullptr;
}

void KnownOrders::Learn(const int32_t* words, size_t count, uint64_t state, Ticket* ticket,
                        Rounds* rounds) {
  const bool is_short = count < kFewestWords;
  if (is_short && ticket->device == kOnCpu) return;
  if (!ticket->shown.empty()) return;  // What is shown is given away.
  has_short_ |= is_short;
  for (Known& known : known_) {
    if (!Matches(known, words, count, state)) continue;
    if (known.ticket != nullptr) return;  // Still on its way.
    known.ticket = ticket;
    ticket->is_kept = true;
    return;
  }
  Known& oldest = known_[std::exchange(next_, (next_ + 1) % kRoom)];
  Forget(&oldest, rounds);
  oldest.words.assign(words, words + count);
  oldest.state = state;
}

void KnownOrders::Clear(Rounds* rounds) {
  for (Known& known : known_) {
    Forget(&known, rounds);
    known.words.clear();
  }
}

void KnownOrders::Forget(Known* known, Rounds* rounds) {
  Ticket* const ticket = std::exchange(known->ticket, nullptr);
  if (ticket == nullptr) return;
  ticket->is_kept = false;
  if (!ticket->is_open) rounds->PutBack(ticket);
}

}  // namespace tensorkv::engine
