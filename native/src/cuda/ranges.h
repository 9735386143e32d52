#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <memory_resource>

namespace tensorkv::cuda {

// Ranges of memory that operations read or write, and by which of them.
class Ranges {
 public:
  static constexpr size_t kMany = SIZE_MAX;

  // Whether an operation that reads (or writes) the range has to come after those of the set.
  // `but`: an operation that may have read the very same range.
  bool Conflicts(uint64_t begin, size_t bytes, bool writes, size_t but = kMany) const {
    if (bytes == 0) return false;
    const uint64_t end = begin + bytes;
    for (auto at = FirstAt(begin); at != ranges_.end() && at->first < end; ++at) {
      const Range& range = at->second;
      if (!writes && !range.written) continue;
      const bool is_same = at->first == begin && range.end == end;
      if (!is_same || range.written || range.owner != but || but == kMany) return true;
    }
    return false;
  }

  void Add(uint64_t begin, size_t bytes, bool writes, size_t owner) {
    if (bytes == 0) return;
    Range range = {begin + bytes, owner, writes};
    auto at = FirstAt(begin);
    // What overlaps becomes one range: written where any of it is.
    while (at != ranges_.end() && at->first < range.end) {
      if (at->first < begin) begin = at->first;
      if (at->second.end > range.end) range.end = at->second.end;
      if (at->second.owner != owner) range.owner = kMany;
      range.written = range.written || at->second.written;
      at = ranges_.erase(at);
    }
    ranges_.emplace_hint(at, begin, range);
  }

 private:
  struct Range {
    uint64_t end;
    size_t owner;
    bool written;
  };
  using Map = std::pmr::map<uint64_t, Range>;

  // The first range that ends behind `begin`.
  Map::const_iterator FirstAt(uint64_t begin) const {
    auto at = ranges_.upper_bound(begin);
    if (at != ranges_.begin() && std::prev(at)->second.end > begin) --at;
    return at;
  }

  std::unique_ptr<std::pmr::monotonic_buffer_resource> room_ =
      std::make_unique<std::pmr::monotonic_buffer_resource>();
  Map ranges_{room_.get()};
};

}  // namespace tensorkv::cuda
