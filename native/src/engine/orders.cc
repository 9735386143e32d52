#include "orders.h"

#include <algorithm>
#include <utility>

namespace tensorkv::engine {
namespace {

// The elements of a value or an out.
struct Range {
  const char* begin;
  const char* end;
  KeyId key;
  bool is_out;
};

// How far ranges reach that do not belong to a key.
class Reach {
 public:
  void Add(const Range& range) {
    if (range.end > end_ && range.key != key_) {
      second_ = end_;
      end_ = range.end;
      key_ = range.key;
    } else if (range.key == key_) {
      end_ = std::max(end_, range.end);
    } else {
      second_ = std::max(second_, range.end);
    }
  }
  // The furthest end of the ranges of other keys than `key`.
  const char* Of(KeyId key) const { return key == key_ ? second_ : end_; }

 private:
  const char* end_ = nullptr;
  const char* second_ = nullptr;  // of other keys than key_
  KeyId key_ = 0;
};

}  // namespace

// Whether the device can make views of whatever the key may be in.
bool Decoder::Knows(const Device& device, KeyId key) const {
  for (const int place : {0, 1}) {
    const BufferId buffer = rounds_->BufferOf(key, place);
    if (buffer == kNoBuffer) continue;
    const auto number = static_cast<size_t>(buffer);
    if (number >= device.known.size() || !device.known[number]) return false;
  }
  return true;
}

bool Decoder::Decode(const Device& device, const Order& order, Ticket* ticket) const {
  const int32_t* const end = order.words + order.count;
  ticket->out_bytes = 0;
  bool is_first = true;
  for (const bool is_push : {true, false}) {
    for (const int32_t* at = order.words; at < end;) {
      const auto key = static_cast<KeyId>(*at++);
      if (key >= plans_->size() || !rounds_->HasClocks(key)) return false;
      const Plan& plan = (*plans_)[key];
      if (std::exchange(is_first, false)) ticket->device = plan.device;
      if (plan.device != ticket->device) return false;
      for (const bool is_value : {true, false}) {
        if (at == end) return false;
        const bool is_view = *at == kAView;
        const auto count = static_cast<uint32_t>(is_view ? 0 : *at);
        const int32_t* const numbers = ++at;
        if (count > static_cast<size_t>(end - at)) return false;
        at += count;
        if (is_value != is_push || (count == 0 && !is_view)) continue;
        if (plan.access < (is_push ? Access::kAssign : Access::kRead)) return false;
        if (is_view && (is_push || !Knows(device, key))) return false;
        const auto first =
            static_cast<uint32_t>(is_view ? ticket->shown.size() : ticket->tensors.size());
        if (is_view) ticket->shown.push_back({kNoBuffer, 0});
        for (uint32_t i = 0; i < count; ++i) {
          const auto number = static_cast<size_t>(numbers[i]);
          if (number >= device.bindings.size()) return false;
          const Binding& bound = device.bindings[number];
          if (bound.length != plan.length || bound.dtype != plan.dtype) return false;
          if (bound.device != plan.device) return false;
          ticket->tensors.push_back({numbers[i], bound.data});
        }
        if (!is_push && plan.device == kOnCpu)
          ticket->out_bytes += count * plan.length * BytesOf(plan.dtype);
        ticket->parts.push_back({.ticket = ticket,
                                 .key = key,
                                 .first = first,
                                 .count = count,
                                 .is_push = is_push,
                                 .is_view = is_view,
                                 .is_taken = false,
                                 .has_ended = false,
                                 .next = nullptr});
      }
    }
  }
  return true;
}

bool Decoder::IsDisjoint(const Ticket& ticket) const {
  thread_local std::vector<Range> ranges;
  ranges.clear();
  for (const Part& part : ticket.parts) {
    const Plan& plan = (*plans_)[part.key];
    for (uint32_t i = 0; i < part.count; ++i) {
      const char* const begin = ticket.tensors[part.first + i].data;
      ranges.push_back({begin, begin + plan.length * BytesOf(plan.dtype), part.key, !part.is_push});
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  Reach all, outs;
  for (const Range& each : ranges) {
    if ((each.is_out ? all : outs).Of(each.key) > each.begin) return false;
    all.Add(each);
    if (each.is_out) outs.Add(each);
  }
  return true;
}

}  // namespace tensorkv::engine
