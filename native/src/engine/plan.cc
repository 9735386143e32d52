#include "plan.h"

#include <memory>
#include <new>

#include "../overlap.h"

namespace tensorkv::engine {
namespace {

// Bytes of a tensor that are updated and then written to every out while they are in L1.
constexpr size_t kTileBytes = 8192;

constexpr std::align_val_t kLine{64};

char* At(const void* data, size_t offset) {
  return static_cast<char*>(const_cast<void*>(data)) + offset;
}

// Room of this thread for update rules that need some.
class Scratch {
 public:
  void* Room(size_t bytes) {
    if (bytes > size_) {
      room_.reset(static_cast<char*>(::operator new[](bytes, kLine)));
      size_ = bytes;
    }
    return room_.get();
  }

 private:
  struct Delete {
    void operator()(char* room) const { ::operator delete[](room, kLine); }
  };
  std::unique_ptr<char[], Delete> room_;
  size_t size_ = 0;
};

bool IsHalf(Dtype dtype) { return dtype == Dtype::kFloat16 || dtype == Dtype::kBfloat16; }

// Addresses `offset` bytes into each of a list.
class Shifted {
 public:
  template <typename Pointer>
  Shifted(const std::vector<Pointer>& from, size_t offset) : size_(from.size()) {
    if (offset == 0) {
      data_ = const_cast<void* const*>(from.data());
      return;
    }
    void** shifted = few_;
    if (size_ > kFew) {
      many_.resize(size_);
      shifted = many_.data();
    }
    for (size_t k = 0; k < size_; ++k) shifted[k] = At(from[k], offset);
    data_ = shifted;
  }
  Shifted(const Shifted&) = delete;
  Shifted& operator=(const Shifted&) = delete;

  void* const* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kFew = 16;
  void* few_[kFew];
  std::vector<void*> many_;
  void* const* data_;
  size_t size_;
};

// The bytes that the work leaves the key in, from `offset` on.
char* Target(const Work& work, size_t offset) { return At(work.plan->buffers[work.to], offset); }

// A step of the rule on the elements [begin, begin + length).
void Step(const Work& work, size_t begin, size_t length) {
  thread_local Scratch scratch;
  const Plan& plan = *work.plan;
  const size_t bytes = BytesOf(plan.dtype);
  void* const stored = Target(work, begin * bytes);
  if (work.from != work.to) {
    const void* const before = At(plan.buffers[work.from], begin * bytes);
    work.kernels->copy_piece(before, &stored, 1, length * bytes, false);
  }
  const size_t compute = IsHalf(plan.dtype) ? sizeof(float) : bytes;
  const Shifted inputs(*work.inputs, begin * bytes);
  const Shifted slots(plan.slots, begin * compute);
  plan.step->run[static_cast<size_t>(plan.dtype)](
      {.inputs = inputs.data(),
       .count = inputs.size(),
       .stored = stored,
       .master = plan.master == nullptr ? nullptr : At(plan.master, begin * compute),
       .slots = slots.data(),
       .scratch = scratch.Room(plan.scratch_length * compute),
       .average = plan.average == nullptr ? nullptr : At(plan.average, begin * compute),
       .rows = nullptr,
       .row_length = 0,
       .hyper = work.hyper,
       .length = length});
}

void Update(const Work& work, size_t begin, size_t length) {
  const Plan& plan = *work.plan;
  if (plan.access == Access::kStep) return Step(work, begin, length);
  const size_t offset = begin * BytesOf(plan.dtype);
  const Shifted inputs(*work.inputs, offset);
  work.kernels->reduce_sum[static_cast<size_t>(plan.dtype)](inputs.data(), inputs.size(),
                                                            Target(work, offset), length);
}

}  // namespace

const double* HyperTable::Row(double count) const {
  if (rows == 0) return nullptr;
  if (is_steady) return values.data();
  const double row = count - first;
  if (!(row >= 0 && row < static_cast<double>(rows))) return nullptr;
  return values.data() + static_cast<size_t>(row) * width;
}

bool AreAlike(const Plan& a, const Plan& b) {
  return a.access == b.access && a.device == b.device && a.dtype == b.dtype &&
         a.length == b.length && a.buffers[0] == b.buffers[0] && a.buffers[1] == b.buffers[1] &&
         a.rule == b.rule && a.step == b.step && a.master == b.master && a.average == b.average &&
         a.slots == b.slots && a.scratch_length == b.scratch_length;
}

size_t TrafficOf(const Plan& plan, bool is_round, size_t inputs, size_t outs) {
  const size_t bytes = plan.length * BytesOf(plan.dtype);
  const size_t state = is_round ? 1 + plan.slots.size() : 1;
  return bytes * (inputs + outs + state);
}

bool Overlap(const std::vector<const void*>& inputs, const std::vector<void*>& outs, size_t bytes) {
  bool overlaps = ShareBytes(outs.data(), outs.size(), bytes);
  for (const void* const out : outs) {
    for (const void* const input : inputs) overlaps |= SharesBytes(out, input, bytes);
  }
  return overlaps;
}

bool Splits(const Work& work) {
  if (work.overlaps) return false;
  return !work.is_round || work.plan->access != Access::kStep || work.plan->step->splits;
}

void Run(const Work& work, size_t begin, size_t end, bool streams) {
  const Plan& plan = *work.plan;
  const size_t bytes = BytesOf(plan.dtype);
  const bool in_pieces = !work.outs->empty() || work.from != work.to;
  const bool fuses = in_pieces && Splits(work);
  const size_t tile = fuses ? kTileBytes / bytes : end - begin;
  if (!fuses && work.is_round) Update(work, begin, end - begin);
  if (!fuses && work.outs->empty()) return;
  for (size_t at = begin; at < end; at += tile) {
    const size_t length = end - at < tile ? end - at : tile;
    if (fuses && work.is_round) Update(work, at, length);
    if (work.outs->empty()) continue;
    const Shifted outs(*work.outs, at * bytes);
    work.kernels->copy_piece(Target(work, at * bytes), outs.data(), outs.size(), length * bytes,
                             streams);
  }
  if (streams) work.kernels->finish_streams();
}

}  // namespace tensorkv::engine
