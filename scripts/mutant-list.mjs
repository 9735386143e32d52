// Faults that somebody could make in the engine, or in the `folder` that is named: in `file`, each of
// `changes` stands once and becomes what is behind it. `by` is what has to catch it: `tests`
// (native/stress/engine_tests.cc), `stress` (native/stress/engine_stress.cc) or `cuda`
// (native/test/cuda/runtime), all under the thread sanitizer.
import { cudaMutants } from './mutant-list-cuda.mjs';

const engine = 'engine.cc';
const work = 'engine_work.cc';
const inbox = 'inbox.cc';
const lists = 'lists.cc';
const rounds = 'rounds.cc';

export const mutants = [
  {
    name: 'no lock',
    file: inbox,
    changes: [
      [
        'Inbox::Take(double* ids, size_t room) {\n  const Lock lock(mutex_);',
        'Inbox::Take(double* ids, size_t room) {',
      ],
    ],
    by: 'stress',
  },
  {
    name: 'acknowledge before apply',
    file: work,
    changes: [
      ['  for (size_t i = 0; i < count; ++i) Finish(jobs[i]);\n', ''],
      [
        '  for (const Work& work : works) Run(',
        '  lock.lock();\n  for (size_t i = 0; i < count; ++i) Finish(jobs[i]);\n  Deliver(lock);\n  lock.unlock();\n  for (const Work& work : works) Run(',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'stale read',
    file: 'plan.cc',
    changes: [
      [
        '    if (fuses && work.is_round) Update(work, at, length);\n    if (work.outs->empty()) continue;\n    const Shifted outs(*work.outs, at * bytes);\n    work.kernels->copy_piece(Target(work, at * bytes), outs.data(), outs.size(), length * bytes,\n                             streams);',
        '    const Shifted outs(*work.outs, at * bytes);\n    work.kernels->copy_piece(Target(work, at * bytes), outs.data(), outs.size(), length * bytes,\n                             streams);\n    if (fuses && work.is_round) Update(work, at, length);',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'double apply',
    file: rounds,
    changes: [['    push->is_taken = true;\n', '']],
    by: 'tests',
  },
  {
    name: 'dropped push',
    file: rounds,
    changes: [
      [
        '    if (push == nullptr || !push->is_push || !is_live_[rank]) continue;\n    push->is_taken',
        '    if (push == nullptr || !push->is_push || !is_live_[rank]) continue;\n    if (rank > 1) {\n      push->is_taken = true;\n      continue;\n    }\n    push->is_taken',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'count instead of identity',
    file: rounds,
    changes: [
      [
        'return key.pushing > 0 && key.pushing == live_count_;',
        'return key.pushing > 0 && key.parts >= live_count_;',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'arrival-order sum',
    file: rounds,
    changes: [
      [
        '    for (uint32_t i = 0; i < push->count; ++i) {\n      job->inputs.push_back(push->ticket->tensors[push->first + i].data);',
        '    for (uint32_t i = 0; i < push->count; ++i) {\n      job->inputs.insert(job->inputs.begin(), push->ticket->tensors[push->first + i].data);',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'missing notify',
    file: inbox,
    changes: [['woken_.notify_one();', '{}']],
    by: 'stress',
  },
  {
    name: 'torn copy',
    file: 'chunks.h',
    changes: [
      [
        'left_((length + chunk - 1) / chunk)',
        'left_((length + chunk - 1) / chunk - (length > chunk))',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'lost wake-up',
    file: inbox,
    changes: [['  looks_ = false;\n  return Move', '  return Move']],
    by: 'stress',
  },
  {
    name: 'pin ignored',
    file: rounds,
    changes: [['job->moves = key.pin_count[key.home] > 0;', 'job->moves = false;']],
    by: 'tests',
  },
  {
    name: 'slot reuse',
    file: rounds,
    changes: [['  ticket->parts.clear();\n  ticket->tensors.clear();', '']],
    by: 'tests',
  },
  {
    name: 'values written over',
    file: work,
    changes: [['.overlaps = overlaps}', '.overlaps = false && overlaps}']],
    by: 'tests',
  },
  {
    name: 'recall that does not wait',
    file: engine,
    changes: [
      [
        '  while (running_ > 0 && !is_leased_) {\n    if (RunChunk(lock, kUnlimited, false) == 0) stopped_.wait(lock);\n  }\n',
        '  static_cast<void>(lock);\n',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'ring after detach',
    file: inbox,
    changes: [['  const Lock lock(bell_);\n  ring_ = nullptr;', '  ring_ = nullptr;']],
    by: 'tests',
  },
  {
    name: 'news that wakes nobody',
    file: inbox,
    changes: [
      ['  ended_.push_back(ended.id);', '  has_ended_ = true;\n  ended_.push_back(ended.id);'],
    ],
    by: 'stress',
  },
  {
    name: 'a chunk counted without the lock',
    file: work,
    changes: [
      [
        '  Acquire(lock);\n  if (large.chunks.End()) {',
        '  const bool is_last = large.chunks.End();\n  Acquire(lock);\n  if (is_last) {',
      ],
    ],
    by: 'stress',
  },
  {
    name: 'a flag that is no atomic',
    file: 'engine.h',
    changes: [['std::atomic<bool> has_chunks_{false};', 'bool has_chunks_ = false;']],
    by: 'stress',
  },
  {
    name: 'detach that does not wait',
    file: engine,
    changes: [
      ['if (HasOpen(device.rank)) Stop(lock);', 'if (HasOpen(device.rank)) is_leased_ = false;'],
    ],
    by: 'tests',
  },
  {
    name: 'a look without an end',
    file: 'patience.h',
    changes: [
      ['      if (now - before > kLong) return Learn(false, true);\n', ''],
      [
        '      if (now - begin > std::chrono::duration<double, std::micro>(us_)) return Learn(false, false);\n',
        '',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'news missed before parking',
    file: inbox,
    changes: [
      [
        'woken_.wait_until(lock, until, [this] { return has_news(); });',
        'woken_.wait_until(lock, until);',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'a call that is forgotten',
    file: inbox,
    changes: [['  if (ended_.empty()) was_called_.store', '  was_called_.store']],
    by: 'tests',
  },
  {
    name: 'a wait without an end',
    file: engine,
    changes: [
      ['while (!inbox.has_news() && Clock::now() < until) {', 'while (!inbox.has_news()) {'],
    ],
    by: 'tests',
  },
  {
    name: 'nobody does what an effort leaves',
    file: work,
    changes: [
      [
        'if (helps ? is_over && has_work()\n            : has_rounds_ || ((has_lists_ || has_chunks_) && is_uncalled_)) {',
        'if (false) {',
      ],
    ],
    by: 'stress',
  },
  {
    name: 'a list without one of its devices',
    file: lists,
    changes: [['list->count == rounds_->live_count()', 'list->count + 1 >= rounds_->live_count()']],
    by: 'tests',
  },
  {
    name: 'a list with the tensors of another call',
    file: lists,
    changes: [['return each.serials == serials;', 'return !each.serials.empty();']],
    by: 'tests',
  },
  {
    name: 'a list that does not hold its keys',
    file: lists,
    changes: [['rounds_->Hold(key);', 'static_cast<void>(key);']],
    by: 'tests',
  },
  {
    name: 'a list that ends before its jobs',
    file: work,
    changes: [
      [
        '    RunJobs(large, begin);\n  }\n  Acquire(lock);',
        '    Acquire(lock);\n    if (large.chunks.left() == 0) {\n      FinishList(large.list, *large.lineup);\n      EndRunning();\n    }\n    Deliver(lock);\n    lock.unlock();\n    RunJobs(large, begin);\n    Acquire(lock);\n    if (large.chunks.End()) large_.erase(found);\n    return traffic;\n  }\n  Acquire(lock);',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'a list that nobody is called for',
    file: work,
    changes: [['  is_uncalled_ = true;\n', '']],
    by: 'tests',
  },
  {
    name: 'a list that a device has refused',
    file: work,
    changes: [
      [
        '    if (!RunRemote(*list, lineup)) return lists_.Spread(list);',
        '    RunRemote(*list, lineup);',
      ],
    ],
    by: 'tests',
  },
  {
    name: 'a list on a device with what came between',
    file: engine,
    changes: [['ticket->device != kOnCpu && !lists_.MayTake(ticket)', 'false']],
    by: 'tests',
  },
  ...cudaMutants,
];
