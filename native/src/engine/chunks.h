#pragma once

#include <algorithm>
#include <cstddef>

namespace tensorkv::engine {

// The chunks of something that several threads work on. Each core has a share of neighbours, the
// same ones whenever work of this shape comes: what they touch is in its caches then, and its pages
// in its TLB. Whoever is done with its own takes from the largest share.
class Chunks {
 public:
  // `length` elements or jobs, `chunk` of them a chunk, for threads on `places` cores.
  Chunks(size_t length, size_t chunk, unsigned places)
      : length_(length),
        chunk_(chunk),
        left_((length + chunk - 1) / chunk),
        running_(left_),
        shares_(std::clamp(places, 1u, kMostShares)) {
    for (unsigned i = 0; i < shares_; ++i) {
      ranges_[i] = {left_ * i / shares_, left_ * (i + 1) / shares_};
    }
  }

  // How many have not begun.
  size_t left() const { return left_; }

  struct Chunk {
    size_t begin;
    size_t end;
  };
  // The next one for a thread on core `place`. There must be one.
  Chunk Take(unsigned place) {
    --left_;
    Range& own = ranges_[place % shares_];
    if (own.next < own.end) return At(own.next++);
    const auto size = [](const Range& range) { return range.end - range.next; };
    Range& largest =
        *std::max_element(ranges_, ranges_ + shares_,
                          [size](const Range& a, const Range& b) { return size(a) < size(b); });
    return At(--largest.end);
  }
  // One that was taken has been done; whether it was the last of all.
  bool End() { return --running_ == 0; }

 private:
  static constexpr unsigned kMostShares = 16;
  // Numbers of chunks.
  struct Range {
    size_t next = 0;
    size_t end = 0;
  };

  Chunk At(size_t number) const {
    return {number * chunk_, std::min((number + 1) * chunk_, length_)};
  }

  size_t length_;
  size_t chunk_;
  size_t left_;
  size_t running_;  // or not begun
  unsigned shares_;
  Range ranges_[kMostShares];
};

}  // namespace tensorkv::engine
