#include "table_builder.h"

#include <algorithm>
#include <cstring>

namespace tensorkv::cuda {
namespace {

// Blocks of a launch that keep every GPU busy to its end; more would only make the table longer.
constexpr size_t kMostBlocks = 8192;
constexpr size_t kLeastChunk = 4096;
constexpr size_t kMostChunk = size_t{1} << 30;

size_t RoundedUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

size_t ChunkFor(std::span<const Work> work) {
  size_t total = 0;
  for (const Work& each : work) total += each.length;
  return std::clamp(RoundedUp(total / kMostBlocks, kLeastChunk), kLeastChunk, kMostChunk);
}

// Whole rows, or a part of one.
size_t ChunkOfRows(size_t chunk, size_t row_length) {
  return row_length == 0 || row_length > chunk ? chunk : chunk / row_length * row_length;
}

}  // namespace

uint64_t TableBuilder::AddHyper(const Operation& step) {
  // Rules read as many as the longest of them has.
  std::vector<double> hyper(step.hyper);
  if (hyper.size() < kMostHyper) hyper.resize(kMostHyper);
  const size_t bytes = hyper.size() * sizeof(double);
  // By their bits: 0 and -0 are others.
  const bool is_last = last_hyper_.size() == hyper.size() &&
                       std::memcmp(hyper.data(), last_hyper_.data(), bytes) == 0;
  if (!is_last) {
    last_hyper_at_ = Append(hyper.data(), bytes);
    last_hyper_ = std::move(hyper);
  }
  steps_.emplace_back(&step, last_hyper_at_);
  return last_hyper_at_;
}

void TableBuilder::AddLaunch(const char* kernel, std::span<const Work> work, size_t chunk,
                             uint32_t threads) {
  const size_t most = chunk != 0 ? chunk : ChunkFor(work);
  const size_t table = bytes_.size();
  const auto add = [&](const Work& each, size_t begin, size_t length) {
    const Chunk next = {begin, static_cast<uint32_t>(length), each.item};
    Append(&next, sizeof(next));
  };
  for (const Work& each : work) {
    const size_t size = ChunkOfRows(most, each.row_length);
    // A row that is cut ends a chunk.
    const size_t piece = each.row_length > size ? each.row_length : each.length;
    for (size_t from = 0; from < each.length; from += piece) {
      const size_t end = std::min(from + piece, each.length);
      for (size_t begin = from; begin < end; begin += size) {
        add(each, begin, std::min(size, end - begin));
      }
    }
  }
  const size_t blocks = (bytes_.size() - table) / sizeof(Chunk);
  if (blocks == 0) return;
  launches_.push_back({kernel, static_cast<uint32_t>(blocks), threads, table});
}

void TableBuilder::FixWords(size_t at, size_t count) {
  for (size_t k = 0; k < count; ++k) {
    uint64_t word;
    std::memcpy(&word, bytes_.data() + at + k * 8, sizeof(word));
    if ((word & kInMemory) != 0) fixes_.push_back(at + k * 8);
  }
}

Plan TableBuilder::Finish(size_t temporary_bytes, std::span<const Operation> operations) {
  constexpr size_t kAlignment = 256;
  bytes_.resize(RoundedUp(bytes_.size(), kAlignment));
  for (const size_t at : fixes_) {
    uint64_t word;
    std::memcpy(&word, bytes_.data() + at, sizeof(word));
    word += bytes_.size();
    std::memcpy(bytes_.data() + at, &word, sizeof(word));
  }
  Plan plan = {std::move(bytes_), temporary_bytes, std::move(launches_), {}};
  for (const auto& [step, at] : steps_) {
    plan.hypers.push_back({static_cast<size_t>(step - operations.data()), at});
  }
  return plan;
}

}  // namespace tensorkv::cuda
