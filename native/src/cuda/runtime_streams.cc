#include <algorithm>

#include "runtime_state.h"

namespace tensorkv::cuda {
namespace {

const Driver& TheDriver() { return Process::Get().driver(); }

CUevent_st* TakeEvent(Device& device) {
  if (!device.events.empty()) {
    CUevent_st* const event = device.events.back();
    device.events.pop_back();
    return event;
  }
  CUevent_st* event = nullptr;
  Check(device, TheDriver().EventCreate(&event, kEventDisableTiming), "cuEventCreate");
  return event;
}

// Lists of thousands of arrays go by here: a stream that is the same need not be counted anew.
void MoveTo(Point& from, const Point& to) {
  if (from.stream != to.stream) from.stream = to.stream;
  from.number = to.number;
}

}  // namespace

std::shared_ptr<Stream> MakeStream(Device& device) {
  auto stream = std::make_shared<Stream>(&device, Process::Get().NextId());
  Check(device, TheDriver().StreamCreate(&stream->handle, kStreamNonBlocking), "cuStreamCreate");
  return stream;
}

void Poll(Stream& stream) {
  while (!stream.open.empty()) {
    const Result result = TheDriver().EventQuery(stream.open.front());
    if (result == kNotReady) return;
    Check(*stream.device, result, "cuEventQuery");
    // An event may be recorded again: who waits for it waits for what it stood for then.
    stream.device->events.push_back(stream.open.front());
    stream.open.pop_front();
    ++stream.completed;
  }
}

bool IsDone(const Point& point) {
  if (point.stream == nullptr || point.number <= point.stream->completed) return true;
  return !LostReason(*point.stream->device).empty();
}

void WaitFor(Stream& stream, const Point& point) {
  if (point.stream.get() == &stream || IsDone(point)) return;
  uint64_t& waited = stream.waited[point.stream->id];
  if (waited >= point.number) return;
  CUevent_st* const event = point.stream->open[point.number - point.stream->completed - 1];
  const Result result = TheDriver().StreamWaitEvent(stream.handle, event, 0);
  Device& other = *point.stream->device;
  if (result != kSuccess && &other != stream.device) {
    // Whose fault it is, the other device says.
    const Result asked = TheDriver().EventQuery(event);
    if (IsSticky(asked)) {
      Lose(other, "its work failed with " + TheDriver().NameOf(asked));
      return;
    }
  }
  Check(*stream.device, result, "cuStreamWaitEvent");
  waited = point.number;
}

void WaitToUse(Stream& stream, const Allocation& allocation, bool writes) {
  WaitFor(stream, allocation.write);
  if (!writes) return;
  for (const Point& reader : allocation.readers) WaitFor(stream, reader);
}

Point Record(const std::shared_ptr<Stream>& stream) {
  Device& device = *stream->device;
  CUevent_st* const event = TakeEvent(device);
  const Result result = TheDriver().EventRecord(event, stream->handle);
  if (result != kSuccess) device.events.push_back(event);
  Check(device, result, "cuEventRecord");
  stream->open.push_back(event);
  const Point point = {stream, ++stream->issued};
  Poll(*stream);
  return point;
}

Point RecordOrLose(const std::shared_ptr<Stream>& stream) {
  try {
    return Record(stream);
  } catch (const Failure& failure) {
    Lose(*stream->device, failure.what());
    return {};
  }
}

void MarkUse(Allocation* allocation, const Point& point, bool writes) {
  if (writes) {
    MoveTo(allocation->write, point);
    allocation->readers.clear();
    return;
  }
  if (allocation->readers.size() == 1 && allocation->readers[0].stream == point.stream) {
    allocation->readers[0].number = point.number;
    return;
  }
  std::erase_if(allocation->readers, [&](const Point& reader) {
    return reader.stream == point.stream || IsDone(reader);
  });
  allocation->readers.push_back(point);
}

}  // namespace tensorkv::cuda
