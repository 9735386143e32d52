// Faults that somebody could make in the engine: `find` stands once in `file` and becomes `put`. `by`
// is what has to catch it: `tests` (native/test/rounds_test.cc and engine_test.cc) or `stress`
// (native/stress/engine_stress.cc), both under the thread sanitizer.
const engine = 'engine.cc';
const inbox = 'inbox.cc';
const rounds = 'rounds.cc';

export const mutants = [
  {
    name: 'no lock',
    file: inbox,
    find: 'Inbox::Take(double* ids, size_t room) {\n  const Lock lock(mutex_);',
    put: 'Inbox::Take(double* ids, size_t room) {',
    by: 'stress',
  },
  {
    name: 'acknowledge before apply',
    file: engine,
    find: '  lock.unlock();\n  for (const Work& work : works) Run(work, 0, work.plan->length, streams);\n  Acquire(lock);\n  for (size_t i = 0; i < count; ++i) Finish(jobs[i]);',
    put: '  for (size_t i = 0; i < count; ++i) Finish(jobs[i]);\n  Deliver(lock);\n  lock.unlock();\n  for (const Work& work : works) Run(work, 0, work.plan->length, streams);\n  Acquire(lock);',
    by: 'tests',
  },
  {
    name: 'stale read',
    file: 'plan.cc',
    find: '    if (fuses && work.is_round) Update(work, at, length);\n    if (work.outs->empty()) continue;\n    const Shifted outs(*work.outs, at * bytes);\n    work.kernels->copy_piece(Target(work, at * bytes), outs.data(), outs.size(), length * bytes,\n                             streams);',
    put: '    const Shifted outs(*work.outs, at * bytes);\n    work.kernels->copy_piece(Target(work, at * bytes), outs.data(), outs.size(), length * bytes,\n                             streams);\n    if (fuses && work.is_round) Update(work, at, length);',
    by: 'tests',
  },
  {
    name: 'double apply',
    file: rounds,
    find: '    push->is_taken = true;\n',
    put: '',
    by: 'tests',
  },
  {
    name: 'dropped push',
    file: rounds,
    find: '    if (push == nullptr || !push->is_push || !is_live_[rank]) continue;\n    push->is_taken',
    put: '    if (push == nullptr || !push->is_push || !is_live_[rank]) continue;\n    if (rank > 1) {\n      push->is_taken = true;\n      continue;\n    }\n    push->is_taken',
    by: 'tests',
  },
  {
    name: 'count instead of identity',
    file: rounds,
    find: 'return key.pushing > 0 && key.pushing == live_count_;',
    put: 'return key.pushing > 0 && key.parts >= live_count_;',
    by: 'tests',
  },
  {
    name: 'arrival-order sum',
    file: rounds,
    find: '    for (uint32_t i = 0; i < push->count; ++i) {\n      job->inputs.push_back(push->ticket->tensors[push->first + i].data);',
    put: '    for (uint32_t i = 0; i < push->count; ++i) {\n      job->inputs.insert(job->inputs.begin(), push->ticket->tensors[push->first + i].data);',
    by: 'tests',
  },
  {
    name: 'missing notify',
    file: inbox,
    find: 'woken_.notify_one();',
    put: '{}',
    by: 'stress',
  },
  {
    name: 'torn copy',
    file: engine,
    find: 'large.chunks = (plan.length + large.chunk - 1) / large.chunk;',
    put: 'large.chunks = (plan.length + large.chunk - 1) / large.chunk - (plan.length > large.chunk);',
    by: 'tests',
  },
  {
    name: 'lost wake-up',
    file: inbox,
    find: '  looks_ = false;\n  return Move',
    put: '  return Move',
    by: 'stress',
  },
  {
    name: 'pin ignored',
    file: rounds,
    find: 'job->moves = key.pin_count[key.home] > 0;',
    put: 'job->moves = false;',
    by: 'tests',
  },
  {
    name: 'slot reuse',
    file: rounds,
    find: '  ticket->parts.clear();\n  ticket->tensors.clear();',
    put: '',
    by: 'tests',
  },
  {
    name: 'recall that does not wait',
    file: engine,
    find: '  while (running_ > 0 && !is_leased_) {\n    if (!RunChunk(lock)) stopped_.wait(lock);\n  }\n',
    put: '  static_cast<void>(lock);\n',
    by: 'tests',
  },
  {
    name: 'ring after detach',
    file: inbox,
    find: '  const Lock lock(bell_);\n  ring_ = nullptr;',
    put: '  ring_ = nullptr;',
    by: 'tests',
  },
  {
    name: 'news that wakes nobody',
    file: inbox,
    find: '  ended_.push_back(ended.id);',
    put: '  has_news_ = true;\n  ended_.push_back(ended.id);',
    by: 'stress',
  },
  {
    name: 'a chunk counted without the lock',
    file: engine,
    find: '  Acquire(lock);\n  if (++large.done == large.chunks) {',
    put: '  const size_t done = ++large.done;\n  Acquire(lock);\n  if (done == large.chunks) {',
    by: 'stress',
  },
  {
    name: 'a flag that is no atomic',
    file: 'engine.h',
    find: 'std::atomic<bool> has_work_{false};',
    put: 'bool has_work_ = false;',
    by: 'stress',
  },
];
