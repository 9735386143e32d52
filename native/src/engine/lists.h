#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "remote.h"
#include "rounds.h"

// The short way of rounds. Where every live rank pushes and pulls the same list of keys, the list
// is done as a whole: no key hears of its tickets until something else comes along, and then they
// go to the lanes of their keys after all. Like Rounds it has no threads and runs nothing.
namespace tensorkv::engine {

// What a list takes when these tickets come: the same jobs each time.
struct Lineup {
  // Of the tickets, by rank.
  std::vector<uint64_t> serials;
  // One a key; empty until they have come twice.
  std::vector<Job> jobs;
  // The rest is the engine's. Of each job, see Work.
  std::vector<uint8_t> overlaps;
  // The jobs in chunks: behind which job each one ends.
  std::vector<size_t> ends;
  // Bytes that all of them move, and the chunk that moves most.
  size_t traffic = 0;
  size_t most = 0;
  // In place of these, of keys on a device, once they have been prepared.
  std::unique_ptr<RemoteRounds> remote;
};

// A list of keys that belong to no other list.
struct List {
  // Of whatever list its keys may have belonged to, no other had it.
  uint64_t id;
  std::vector<KeyId> keys;
  // Where its keys are.
  int device = kOnCpu;
  // The open tickets, by rank, and how many there are.
  std::vector<Ticket*> arrived;
  uint32_t count = 0;
  // Its jobs are being done; its keys are held, for other tickets have come since.
  bool is_running = false;
  bool is_held = false;
  // It has a key that threads are to share, so it does not go as a whole.
  bool is_unfit = false;
  static constexpr size_t kLineups = 4;
  Lineup lineups[kLineups];
  size_t next_lineup = 0;
};

class Lists {
 public:
  explicit Lists(Rounds* rounds) : rounds_(rounds) {}

  // Whether a ticket pushes keys and then pulls the same ones.
  static bool IsList(const Ticket& ticket);
  // Whether a ticket may go with its list.
  bool MayTake(Ticket* ticket) { return ListFor(ticket) != nullptr; }
  // Opens a ticket that may go with its list, and enqueues any other. Returns the list if no live
  // rank is missing there any more.
  List* Enqueue(Ticket* ticket);
  // What the tickets of a complete list are to do; null where these have not come before.
  Lineup* LineupOf(List* list);
  // The jobs of the lineup begin: to be followed by Finish.
  void Begin(List* list) { list->is_running = true; }
  // Adds the tickets that have ended.
  void Finish(List* list, std::vector<Ended>* ended);
  // Its tickets go to the lanes of their keys.
  void Spread(List* list);
  // Forgets all tickets: the rounds have.
  void Clear();
  // And the lists.
  void Close();

 private:
  List* ListFor(Ticket* ticket);
  List* Take(Ticket* ticket);
  void SpreadAll();
  List* Of(Ticket* ticket);
  List* Make(const Ticket& ticket);
  void Drop(KeyId key);
  void Forget(List* list);

  Rounds* const rounds_;
  std::list<List> lists_;
  // Which list a key belongs to.
  std::vector<List*> owners_;
  uint64_t last_id_ = 0;
  // Lists with open tickets.
  uint32_t open_ = 0;
};

}  // namespace tensorkv::engine
