#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "chunks.h"
#include "inbox.h"
#include "lists.h"
#include "orders.h"
#include "plan.h"
#include "pool.h"
#include "remote.h"
#include "rounds.h"

namespace tensorkv::engine {

// Versions of a key that were made during a lease.
struct Made {
  uint32_t rounds = 0;
  // The key is in its other buffer now.
  bool has_moved = false;
};

// Where an engine tells everybody how it stands; null: nobody looks.
struct Status {
  // Counts the versions that are made.
  int64_t* updates = nullptr;
  // Not zero once the engine is closed.
  int32_t* ended = nullptr;
};

// Carries out plain pushes and pulls of one store while its coordinator leaves them to it: on the
// thread of whoever comes last, or on the pool. Everything else is the coordinator's, which recalls
// the store first.
class Engine : public Worksite, public std::enable_shared_from_this<Engine> {
 public:
  // No limit of the work that is done at once.
  static constexpr size_t kUnlimited = SIZE_MAX;

  // `staleness`: see Rounds.
  Engine(Rank ranks, Consistency consistency, double staleness, const KernelTable* kernels,
         Status status);

  // How many devices there is room for.
  Rank ranks();
  const KernelTable& kernels() const { return *kernels_; }

  // The rank under which a coordinator attaches.
  static constexpr Rank kCoordinator = UINT32_MAX;

  // The coordinator's side. Plans and tables may change only while the store is recalled: else
  // false. Makes room for ranks 0 to `ranks` - 1; only then too.
  bool Grow(Rank ranks);
  // The key is in the first buffer of its plan, which is `stored`, with `version`.
  bool SetPlan(KeyId key, Plan plan, BufferId stored, BufferId other, double version);
  // By rank; needed for each key of an ssp store. False for a key without a plan.
  bool SetClocks(KeyId key, double* clocks);
  bool SetHyper(uint32_t table, HyperTable values);
  // Leaves the store to the engine, with these pins: a round takes a push of each of `live`.
  void Lease(const std::vector<Rank>& live, const std::vector<Pin>& pins);
  // Takes the store back once what is running has ended. Calls see(ticket) for each open ticket,
  // pinned(pin) for each pin and made(key, what) for each key with new versions, then forgets them.
  void Recall(const std::function<void(const Ticket&)>& see,
              const std::function<void(const Pin&)>& pinned,
              const std::function<void(KeyId, const Made&)>& made);
  // Recalls the store for good, and wakes whoever waits.
  void Close();
  // Has `remote` queue the rounds of keys on devices; without it they are the coordinator's.
  void UseRemote(std::unique_ptr<Remote> remote);
  bool has_remote();

  // The device's side, on its own thread. The coordinator attaches too: it is rung when a round
  // needs it, for want of hyper-parameters.
  std::shared_ptr<Device> Attach(Rank rank, std::function<void()> ring);
  // After it, the device's `ring` is not called again, and none of its memory is read or written:
  // where requests of it are open, nothing goes on before the coordinator has taken them over.
  void Detach(Device& device);
  // Takes orders in, or refuses them from the first one on that is not plain or finds the store
  // recalled; returns how many were taken. Small work is done at once, until it has moved
  // `inline_bytes`; the rest is the pool's. The device then looks for what has ended; if it
  // `lingers`, this waits some microseconds for that.
  size_t Submit(Device& device, const Order* orders, size_t count, size_t inline_bytes,
                bool lingers);
  // Whether the request of an order is disjoint, see Ticket.
  bool IsDisjoint(const Device& device, const Order& order);
  // Blocks, and helps, until something has ended for the device, it was called, or `slice_ms` have
  // passed. Moves what has ended to `ids`, at most `room` of them, and returns how many.
  size_t Wait(Device& device, double slice_ms, double* ids, size_t room);
  // Ends the wait of a device, now or the next one.
  void Call(Rank rank);

  // How many lists were done as a whole.
  uint64_t whole_lists();

  void Help() override;

 private:
  // What several threads may work on: a job, or the jobs of a list.
  struct Large {
    Job job;
    Work work;
    List* list;
    const Lineup* lineup;
    Chunks chunks;   // of elements, or one for each of the lineup
    size_t traffic;  // bytes that a chunk moves, about, or at most; not 0
    bool streams = false;
  };
  using Lock = std::unique_lock<std::mutex>;
  using Clock = std::chrono::steady_clock;

  // How much a thread does. Without a limit of bytes it helps with large jobs too, until whoever it
  // works for has news, or has to go.
  struct Effort {
    size_t bytes = kUnlimited;  // that small jobs move
    const Inbox* inbox = nullptr;
    Clock::time_point until = Clock::time_point::max();
    bool IsOver() const;
  };

  bool has_small_work() const { return has_rounds_ || has_lists_; }
  bool has_work() const { return has_small_work() || has_chunks_; }
  bool Linger(Device& device);
  void WaitShortly(Device& device, size_t bytes);
  void Stop(Lock& lock);
  bool HasOpen(Rank rank) const;
  bool Admit(Device& device, const Order& order);
  Ticket* TicketOf(Device& device, const Order& order);
  bool Release(const Device& device, const Order& order);

  // engine_work.cc: what is done between a request and its answer.
  Lock Enter();
  void Drain(Lock& lock, const Effort& effort);
  void CallHands(Lock& lock, bool helps);
  void CallPool(Lock& lock, unsigned helpers);
  void NoteWork();
  bool TakeNext(Job* job);
  Work WorkOf(const Job& job, bool overlaps) const;
  bool OverlapOf(const Job& job) const;
  void StartLarge(Job& job, size_t traffic);
  void StartList(List* list);
  bool RunRemote(const List& list, Lineup* lineup);
  void Start(Large&& started);
  bool Fits(Lineup* lineup) const;
  bool LacksHyper(KeyId key) const;
  size_t RunChunk(Lock& lock, size_t most, bool only_lists);
  void RunJobs(const Large& large, size_t chunk) const;
  void RunBatch(Lock& lock, const Job* jobs, size_t count);
  void Finish(const Job& job);
  void FinishList(List* list, const Lineup& lineup);
  void EndRunning();
  void CountRound(const Job& job);
  void Deliver(Lock& lock);
  std::shared_ptr<Device>& SlotOf(Rank rank) {
    return rank == kCoordinator ? coordinator_ : devices_[rank];
  }

  const KernelTable* const kernels_;
  const Status status_;

  std::mutex mutex_;
  Rounds rounds_;
  std::unique_ptr<Remote> remote_;
  Lists lists_{&rounds_};
  std::vector<Plan> plans_;
  const Decoder decoder_{&plans_, &rounds_};
  uint64_t plan_changes_ = 0;
  std::vector<Made> made_;      // of each key since the lease
  std::vector<KeyId> changed_;  // keys with new versions
  std::vector<HyperTable> hyper_;
  std::vector<std::shared_ptr<Device>> devices_;  // by rank
  std::shared_ptr<Device> coordinator_;
  bool is_leased_ = false;
  bool is_closed_ = false;
  // Jobs that were taken and have not been finished.
  size_t running_ = 0;
  std::condition_variable stopped_;
  std::list<Large> large_;
  // Others are to be called for some of them, and nobody was called since some were started.
  bool needs_hands_ = false;
  bool is_uncalled_ = false;
  uint64_t whole_lists_ = 0;
  // Tickets that have ended and were not delivered.
  std::vector<Ended> ended_;
  // Of the outs of all open tickets.
  size_t out_bytes_ = 0;
  // Since they were last counted.
  int64_t made_rounds_ = 0;
  // Whether there is something to do for whoever comes by: whole jobs, chunks of lists, or of large
  // jobs.
  std::atomic<bool> has_rounds_{false};
  std::atomic<bool> has_lists_{false};
  std::atomic<bool> has_chunks_{false};
  // Devices that look for news, and would help.
  std::atomic<unsigned> lingering_{0};
};

}  // namespace tensorkv::engine
