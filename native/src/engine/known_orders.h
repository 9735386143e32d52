#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rounds.h"

namespace tensorkv::engine {

// The long requests that a device has made again and again, each with its ticket: what was decoded
// once need not be decoded anew as long as no plan and no binding has changed. Guarded by the
// engine's lock.
class KnownOrders {
 public:
  // Words below which decoding costs less than it would save; keys on devices are done only in
  // requests that are known.
  static constexpr size_t kFewestWords = 16;

  // The ticket of the same words, to be enqueued again; null where there is none at hand. `state`
  // tells whether plans or bindings have changed.
  Ticket* Find(const int32_t* words, size_t count, uint64_t state);
  // These words were decoded into `ticket`, which is kept if they came before.
  void Learn(const int32_t* words, size_t count, uint64_t state, Ticket* ticket, Rounds* rounds);
  // Gives all tickets back.
  void Clear(Rounds* rounds);

 private:
  struct Known {
    std::vector<int32_t> words;
    uint64_t state = 0;
    Ticket* ticket = nullptr;
  };
  static constexpr size_t kRoom = 4;

  static bool Matches(const Known& known, const int32_t* words, size_t count, uint64_t state);
  static void Forget(Known* known, Rounds* rounds);

  Known known_[kRoom];
  bool has_short_ = false;
  size_t next_ = 0;
};

}  // namespace tensorkv::engine
