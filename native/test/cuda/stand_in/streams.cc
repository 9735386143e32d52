#include <chrono>
#include <deque>
#include <random>
#include <thread>

#include "stand_in.h"

namespace tensorkv::cuda::stand_in {
namespace {

struct Task {
  std::function<void()> work;
  bool always;
  uint64_t number;  // in its context
};

// What a stream has still to do. Its thread ends when the stream is destroyed and all is done.
struct Queue {
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<Task> tasks;
  bool is_ending = false;
};

void Delay(std::minstd_rand* random) {
  const unsigned most = State::Get().delay_us;
  if (most == 0) return;
  // Mostly none: else nothing ever runs side by side.
  const auto number = static_cast<unsigned>((*random)());
  if (number % 3 != 0) return;
  std::this_thread::sleep_for(std::chrono::microseconds(number / 3 % (most + 1)));
}

void RunQueue(std::shared_ptr<Queue> queue, CUctx_st* context, uint64_t seed) {
  std::minstd_rand random(static_cast<unsigned>(seed));
  for (;;) {
    Task task;
    {
      std::unique_lock lock(queue->mutex);
      queue->filled.wait(lock, [&] { return !queue->tasks.empty() || queue->is_ending; });
      if (queue->tasks.empty()) return;
      task = std::move(queue->tasks.front());
      queue->tasks.pop_front();
    }
    Delay(&random);
    if (context->lost == 0 || task.always) task.work();
    const std::lock_guard lock(context->mutex);
    context->open.erase(task.number);
    context->ended.notify_all();
  }
}

std::shared_ptr<Queue>& QueueOf(CUstream_st* stream) {
  return *static_cast<std::shared_ptr<Queue>*>(stream->queue);
}

Result StreamCreate(CUstream_st** stream, unsigned flags) {
  STAND_IN_BEGIN("cuStreamCreate");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  if (flags != kStreamNonBlocking) return kInvalidValue;
  static std::atomic<uint64_t> count = 0;
  CUctx_st* const context = CurrentContext();
  auto queue = std::make_shared<Queue>();
  const uint64_t seed = State::Get().seed * 7919 + ++count;
  std::thread(RunQueue, queue, context, seed).detach();
  *stream = new CUstream_st{context, new std::shared_ptr<Queue>(std::move(queue))};
  return kSuccess;
}

Result StreamDestroy(CUstream_st* stream) {
  const Result lost = stream->context->lost;
  const std::shared_ptr<Queue> queue = QueueOf(stream);
  {
    const std::lock_guard lock(queue->mutex);
    queue->is_ending = true;
  }
  queue->filled.notify_all();
  delete static_cast<std::shared_ptr<Queue>*>(stream->queue);
  delete stream;
  return lost;
}

Result StreamWaitEvent(CUstream_st* stream, CUevent_st* event, unsigned) {
  STAND_IN_BEGIN("cuStreamWaitEvent");
  if (stream->context->lost != 0) return stream->context->lost;
  if (event->context->lost != 0) return event->context->lost;
  if (event->mark == nullptr) return kSuccess;
  Enqueue(stream, [mark = event->mark] { mark->Wait(); });
  return kSuccess;
}

Result StreamAddCallback(CUstream_st* stream, StreamCallback* callback, void* data, unsigned) {
  STAND_IN_BEGIN("cuStreamAddCallback");
  if (stream->context->lost != 0) return stream->context->lost;
  CUctx_st* const context = stream->context;
  Enqueue(stream, [=] { callback(nullptr, context->lost, data); }, true);
  return kSuccess;
}

Result EventCreate(CUevent_st** event, unsigned flags) {
  STAND_IN_BEGIN("cuEventCreate");
  if (const Result result = ContextResult(); result != kSuccess) return result;
  if ((flags & kEventDisableTiming) == 0) return kInvalidValue;
  *event = new CUevent_st{CurrentContext(), nullptr};
  return kSuccess;
}

Result EventDestroy(CUevent_st* event) {
  delete event;
  return kSuccess;
}

Result EventRecord(CUevent_st* event, CUstream_st* stream) {
  STAND_IN_BEGIN("cuEventRecord");
  if (stream->context->lost != 0) return stream->context->lost;
  if (event->context != stream->context) return kInvalidHandle;
  event->mark = std::make_shared<Mark>();
  Enqueue(stream, [mark = event->mark] { mark->Reach(); }, true);
  return kSuccess;
}

Result EventQuery(CUevent_st* event) {
  STAND_IN_BEGIN("cuEventQuery");
  if (event->context->lost != 0) return event->context->lost;
  return event->mark == nullptr || event->mark->is_reached() ? kSuccess : kNotReady;
}

Result EventSynchronize(CUevent_st* event) {
  STAND_IN_BEGIN("cuEventSynchronize");
  const std::shared_ptr<Mark> mark = event->mark;
  if (mark != nullptr) mark->Wait();
  return event->context->lost;
}

}  // namespace

void Mark::Reach() {
  {
    const std::lock_guard lock(mutex_);
    is_reached_ = true;
  }
  reached_.notify_all();
}

bool Mark::is_reached() {
  const std::lock_guard lock(mutex_);
  return is_reached_;
}

void Mark::Wait() {
  std::unique_lock lock(mutex_);
  reached_.wait(lock, [this] { return is_reached_; });
}

void Enqueue(CUstream_st* stream, std::function<void()> work, bool always) {
  Queue& queue = *QueueOf(stream);
  CUctx_st& context = *stream->context;
  uint64_t number = 0;
  {
    const std::lock_guard lock(context.mutex);
    number = ++context.last;
    context.open.insert(number);
  }
  {
    const std::lock_guard lock(queue.mutex);
    queue.tasks.push_back({std::move(work), always, number});
  }
  queue.filled.notify_all();
}

void WaitForContext(CUctx_st* context) {
  std::unique_lock lock(context->mutex);
  const uint64_t last = context->last;
  context->ended.wait(lock, [=] { return context->open.empty() || *context->open.begin() > last; });
}

void Gate::Set(bool is_open) {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = is_open;
  }
  opened_.notify_all();
}

void Gate::Pass() {
  std::unique_lock lock(mutex_);
  opened_.wait(lock, [this] { return is_open_; });
}

Gate& HoldGate() {
  static auto* const gate = new Gate();
  return *gate;
}

Gate& FreeGate() {
  static auto* const gate = new Gate();
  return *gate;
}

void AddStreams(Driver* driver) {
  driver->StreamCreate = StreamCreate;
  driver->StreamDestroy = StreamDestroy;
  driver->StreamWaitEvent = StreamWaitEvent;
  driver->StreamAddCallback = StreamAddCallback;
  driver->EventCreate = EventCreate;
  driver->EventDestroy = EventDestroy;
  driver->EventRecord = EventRecord;
  driver->EventQuery = EventQuery;
  driver->EventSynchronize = EventSynchronize;
}

}  // namespace tensorkv::cuda::stand_in
