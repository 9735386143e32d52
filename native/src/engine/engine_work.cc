// What the engine does between a request and its answer: jobs and lists, by priority, and who does
// them.
#include <algorithm>
#include <utility>

#include "engine.h"

namespace tensorkv::engine {
namespace {

// Jobs that move more are shared out among threads: below it, waking one costs more than it saves.
constexpr size_t kLargeBytes = size_t{512} << 10;

// Bytes that one chunk of a large job moves, about: some 100 microseconds of work.
constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr size_t kChunkStep = 4096;  // elements

// Small jobs that are run between two looks at the lock.
constexpr size_t kBatchJobs = 128;
constexpr size_t kBatchBytes = size_t{256} << 10;

// Outs of this size together do not fit into the caches.
constexpr size_t kStreamBytes = size_t{16} << 20;

// Tries to get the lock before a thread parks for it: it is never held for long.
constexpr int kTries = 64;

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Of about so many bytes each, and of a multiple of `step` elements or jobs.
Chunks ChunksOf(size_t length, size_t traffic, size_t chunk_bytes, size_t step) {
  const size_t parts = std::max<size_t>((traffic + chunk_bytes - 1) / chunk_bytes, 1);
  const size_t size = (length + parts - 1) / parts;
  return {length, (size + step - 1) / step * step, Pool::Get().size()};
}

// Takes the lock, parking only if it has to.
void Acquire(std::unique_lock<std::mutex>& lock) {
  for (int i = 0; i < kTries; ++i) {
    if (lock.try_lock()) return;
    Pause();
  }
  lock.lock();
}

}  // namespace

bool Engine::Effort::IsOver() const {
  return (inbox != nullptr && inbox->has_news()) ||
         (until != Clock::time_point::max() && Clock::now() >= until);
}

// Works until nothing is left or the effort is over; the rest is the pool's.
void Engine::Drain(Lock& lock, const Effort& effort) {
  thread_local std::vector<Job> jobs(kBatchJobs);
  const bool helps = effort.bytes == kUnlimited;
  size_t budget = effort.bytes;
  bool is_over = false;
  while (!is_over) {
    CallHands(lock, helps);
    size_t moved = rounds_.HasUrgent() ? 0 : RunChunk(lock, budget, true);
    if (moved == 0) {
      size_t count = 0;
      while (count < kBatchJobs && moved < kBatchBytes && moved < budget &&
             TakeNext(&jobs[count])) {
        Job& job = jobs[count];
        const size_t traffic =
            TrafficOf(plans_[job.key], job.is_round, job.inputs.size(), job.outs.size());
        if (traffic > kLargeBytes) {
          StartLarge(job, traffic);
        } else {
          moved += traffic;
          ++count;
        }
      }
      CallHands(lock, helps);
      if (count > 0) {
        if (rounds_.has_ready())
          has_rounds_ = true;  // Devices that linger may take the next batch.
        RunBatch(lock, jobs.data(), count);
      } else {
        moved = RunChunk(lock, budget, false);
        if (moved == 0) break;
      }
    }
    if (!helps) budget -= std::min(budget, moved);
    Deliver(lock);
    is_over = helps && effort.IsOver();
  }
  Deliver(lock);
  NoteWork();
  if (helps ? is_over && has_work()
            : has_rounds_ || ((has_lists_ || has_chunks_) && is_uncalled_)) {
    CallPool(lock, Pool::Get().size());
  }
}

// Has others help with what was started and is much.
void Engine::CallHands(Lock& lock, bool helps) {
  if (!std::exchange(needs_hands_, false)) return;
  NoteWork();
  // Devices that linger help those that help themselves.
  const unsigned hands = helps ? 1 + lingering_.load() : 0;
  const unsigned size = Pool::Get().size();
  CallPool(lock, hands < size ? size - hands : 0);
}

void Engine::CallPool(Lock& lock, unsigned helpers) {
  is_uncalled_ = false;
  if (helpers == 0) return;
  lock.unlock();
  Pool::Get().Call(shared_from_this(), helpers);
  Acquire(lock);
}

void Engine::NoteWork() {
  bool has_chunks = false, has_lists = false;
  for (const Large& large : large_) {
    if (large.chunks.left() == 0) continue;
    (large.list == nullptr ? has_chunks : has_lists) = true;
  }
  has_chunks_ = has_chunks;
  has_lists_ = has_lists;
  has_rounds_ = is_leased_ && rounds_.has_ready();
}

Engine::Lock Engine::Enter() {
  Lock lock(mutex_, std::defer_lock);
  Acquire(lock);
  return lock;
}

// The next job, by priority. A round is left to the coordinator where there are no hyper-parameters
// for it, or where views hold all buffers of its key; of a key on a device everything is that does
// not go with its list.
bool Engine::TakeNext(Job* job) {
  KeyId key;
  while (is_leased_ && rounds_.NextReady(&key)) {
    if (plans_[key].device != kOnCpu ||
        ((LacksHyper(key) || rounds_.IsHeld(key)) && rounds_.IsRoundNext(key))) {
      ended_.push_back({kCoordinator, 0, 0, {}});
      continue;
    }
    if (!rounds_.Take(key, job, &ended_)) continue;
    ++running_;
    return true;
  }
  return false;
}

bool Engine::LacksHyper(KeyId key) const {
  const Plan& plan = plans_[key];
  return plan.access == Access::kStep && hyper_[plan.hyper].Row(plan.count) == nullptr;
}

// See Work for `overlaps`.
Work Engine::WorkOf(const Job& job, bool overlaps) const {
  const Plan& plan = plans_[job.key];
  return {.kernels = kernels_,
          .plan = &plan,
          .is_round = job.is_round,
          .from = rounds_.HomeOf(job.key),
          .to = job.moves ? 1 - rounds_.HomeOf(job.key) : rounds_.HomeOf(job.key),
          .inputs = &job.inputs,
          .outs = &job.outs,
          .hyper = plan.access == Access::kStep ? hyper_[plan.hyper].Row(plan.count) : nullptr,
          .overlaps = overlaps};
}

bool Engine::OverlapOf(const Job& job) const {
  const Plan& plan = plans_[job.key];
  return Overlap(job.inputs, job.outs, plan.length * BytesOf(plan.dtype));
}

void Engine::StartLarge(Job& job, size_t traffic) {
  const Plan& plan = plans_[job.key];
  Work work = WorkOf(job, OverlapOf(job));
  const size_t chunk_bytes = Splits(work) ? kChunkBytes : traffic;
  const Chunks chunks = ChunksOf(plan.length, traffic, chunk_bytes, kChunkStep);
  Start({.job = std::move(job),
         .work = work,
         .list = nullptr,
         .lineup = nullptr,
         .chunks = chunks,
         .traffic = traffic / chunks.left() + 1});
  needs_hands_ = true;
}

// A complete list is done as a whole, if it can be.
void Engine::StartList(List* list) {
  Lineup* const lineup = lists_.LineupOf(list);
  const bool is_remote = list->device != kOnCpu;
  if (lineup != nullptr && !is_remote && lineup->ends.empty() && !Fits(lineup)) {
    list->is_unfit = true;
    *lineup = {};
  }
  const auto lacks_hyper = [this](KeyId key) { return LacksHyper(key); };
  if (lineup == nullptr || list->is_unfit ||
      std::any_of(list->keys.begin(), list->keys.end(), lacks_hyper)) {
    return lists_.Spread(list);
  }
  if (is_remote) {
    if (!RunRemote(*list, lineup)) return lists_.Spread(list);
    return FinishList(list, *lineup);
  }
  lists_.Begin(list);
  ++running_;
  Start({.job = {},
         .work = {},
         .list = list,
         .lineup = lineup,
         .chunks = {lineup->ends.size(), 1, Pool::Get().size()},
         .traffic = lineup->most + 1});
  needs_hands_ |= lineup->traffic > kLargeBytes;
  has_lists_ = true;
}

// Has the rounds of a list on a device queued: at once, for that is all there is to do. False where
// they could not be: the coordinator finds out why.
bool Engine::RunRemote(const List& list, Lineup* lineup) {
  thread_local std::vector<const Plan*> plans;
  thread_local std::vector<std::span<const double>> hyper;
  plans.clear();
  hyper.clear();
  for (const KeyId key : list.keys) {
    const Plan& plan = plans_[key];
    plans.push_back(&plan);
    if (plan.access == Access::kStep) {
      const HyperTable& table = hyper_[plan.hyper];
      hyper.emplace_back(table.Row(plan.count), table.width);
    } else {
      hyper.emplace_back();
    }
  }
  for (const bool is_new : {false, true}) {
    if (is_new) {
      lineup->remote = remote_ ? remote_->Prepare(lineup->jobs, plans, hyper) : nullptr;
    }
    if (lineup->remote != nullptr && lineup->remote->Queue(hyper)) return true;
  }
  lineup->remote.reset();
  return false;
}

void Engine::Start(Large&& started) {
  Large& large = large_.emplace_back(std::move(started));
  large.work.inputs = &large.job.inputs;
  large.work.outs = &large.job.outs;
  large.streams = out_bytes_ >= kStreamBytes;
  is_uncalled_ = true;
}

// Looks at the jobs of a lineup that is new, and cuts them into chunks. False if one of them is
// large.
bool Engine::Fits(Lineup* lineup) const {
  size_t chunk = 0;
  for (size_t i = 0; i < lineup->jobs.size(); ++i) {
    const Job& job = lineup->jobs[i];
    const size_t traffic = TrafficOf(plans_[job.key], true, job.inputs.size(), job.outs.size());
    if (traffic > kLargeBytes) return false;
    lineup->overlaps.push_back(OverlapOf(job));
    lineup->traffic += traffic;
    chunk += traffic;
    if (chunk < kBatchBytes && i + 1 < lineup->jobs.size()) continue;
    lineup->ends.push_back(i + 1);
    lineup->most = std::max(lineup->most, chunk);
    chunk = 0;
  }
  return true;
}

// Runs a chunk of a list that moves no more than `most` bytes; or of anything, if that may be.
// Returns how many bytes it has moved, or somewhat less; 0 when there is none.
size_t Engine::RunChunk(Lock& lock, size_t most, bool only_lists) {
  const auto found = std::find_if(large_.begin(), large_.end(), [&](const Large& each) {
    const bool may =
        each.list == nullptr ? !only_lists && most == kUnlimited : each.traffic <= most;
    return may && each.chunks.left() > 0;
  });
  if (found == large_.end()) return 0;
  Large& large = *found;
  const size_t traffic = large.traffic;
  const auto [begin, end] = large.chunks.Take(Pool::Get().Place());
  if (large.chunks.left() == 0) NoteWork();
  lock.unlock();
  if (large.list == nullptr) {
    Run(large.work, begin, end, large.streams);
  } else {
    RunJobs(large, begin);
  }
  Acquire(lock);
  if (large.chunks.End()) {
    if (large.list == nullptr) {
      Finish(large.job);
    } else {
      FinishList(large.list, *large.lineup);
      EndRunning();
    }
    large_.erase(found);
  }
  return traffic;
}

// Does chunk number `chunk` of a list. Nothing else happens to its keys, and plans stay as they are
// while jobs run.
void Engine::RunJobs(const Large& large, size_t chunk) const {
  const Lineup& lineup = *large.lineup;
  for (size_t i = chunk == 0 ? 0 : lineup.ends[chunk - 1]; i < lineup.ends[chunk]; ++i) {
    const Work work = WorkOf(lineup.jobs[i], lineup.overlaps[i] != 0);
    Run(work, 0, work.plan->length, large.streams);
  }
}

void Engine::RunBatch(Lock& lock, const Job* jobs, size_t count) {
  const bool streams = out_bytes_ >= kStreamBytes;
  thread_local std::vector<Work> works;
  works.clear();
  lock.unlock();
  // Nothing else happens to these keys, and plans stay as they are while jobs run.
  for (size_t i = 0; i < count; ++i) works.push_back(WorkOf(jobs[i], OverlapOf(jobs[i])));
  for (const Work& work : works) Run(work, 0, work.plan->length, streams);
  Acquire(lock);
  for (size_t i = 0; i < count; ++i) Finish(jobs[i]);
}

void Engine::Finish(const Job& job) {
  if (job.is_round) CountRound(job);
  rounds_.Finish(job, &ended_);
  EndRunning();
}

void Engine::FinishList(List* list, const Lineup& lineup) {
  for (const Job& job : lineup.jobs) CountRound(job);
  lists_.Finish(list, &ended_);
  ++whole_lists_;
}

// Tells whoever waits for it, see Stop, that nothing runs any more.
void Engine::EndRunning() {
  if (--running_ == 0 && !is_leased_) stopped_.notify_all();
}

void Engine::CountRound(const Job& job) {
  plans_[job.key].count += 1;
  Made& made = made_[job.key];
  if (made.rounds++ == 0) changed_.push_back(job.key);
  if (job.moves) made.has_moved = !made.has_moved;
  ++made_rounds_;
}

// Counts the rounds that were made, and tells devices what has ended: once each.
void Engine::Deliver(Lock& lock) {
  if (made_rounds_ > 0 && status_.updates != nullptr) {
    __atomic_fetch_add(status_.updates, made_rounds_, __ATOMIC_RELAXED);
  }
  made_rounds_ = 0;
  if (ended_.empty()) return;
  std::vector<std::pair<std::shared_ptr<Device>, Inbox::Signal>> told;
  for (Ended& each : ended_) {
    out_bytes_ -= each.out_bytes;
    const std::shared_ptr<Device>& device = SlotOf(each.rank);
    if (device == nullptr) continue;
    const Inbox::Signal signal = device->inbox.Add(each);
    if (signal != Inbox::Signal::kNone) told.emplace_back(device, signal);
  }
  ended_.clear();
  if (told.empty()) return;
  lock.unlock();
  for (const auto& [device, signal] : told) device->inbox.Tell(signal);
  told.clear();
  Acquire(lock);
}

}  // namespace tensorkv::engine
