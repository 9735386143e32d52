#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "plan.h"
#include "table.h"

namespace tensorkv::cuda {

// An item that a launch works on.
struct Work {
  uint32_t item;
  size_t length;          // elements
  size_t row_length = 0;  // of rows that a chunk must not cut, or only one of them; 0: no rows
};

// Writes the table of a plan.
class TableBuilder {
 public:
  // Where an item is, in units of 8 bytes. The addresses are behind it.
  template <typename Item>
  uint32_t AddItem(const Item& item, std::span<const uint64_t> addresses = {}) {
    static_assert(std::is_trivially_copyable_v<Item> && sizeof(Item) % 8 == 0);
    const size_t at = Append(&item, sizeof(Item));
    if constexpr (std::is_same_v<Item, ListItem>) {
      FixWords(at + offsetof(ListItem, partials), 1);
    } else {
      FixWords(at, WordsOfAddresses<Item>());
    }
    const size_t list = Append(addresses.data(), addresses.size_bytes());
    FixWords(list, addresses.size());
    return static_cast<uint32_t>(at / 8);
  }

  // Where a list is, in bytes.
  uint64_t AddAddresses(std::span<const uint64_t> addresses) {
    const size_t at = Append(addresses.data(), addresses.size_bytes());
    FixWords(at, addresses.size());
    return at;
  }

  // Where the hyper-parameters of a step are, in bytes. Those that were added last are not added
  // again.
  uint64_t AddHyper(const Operation& step);

  // A launch with a block for each chunk of the work. Chunks begin at multiples of 4096 elements,
  // or where `chunk` (elements) says so.
  void AddLaunch(const char* kernel, std::span<const Work> work, size_t chunk = 0,
                 uint32_t threads = kThreads);

  // Of an address among the temporaries.
  static uint64_t Temporary(size_t offset) { return kInMemory | offset; }

  // `temporary_bytes`: of the launches that need most; `operations`: all that there are.
  Plan Finish(size_t temporary_bytes, std::span<const Operation> operations);

 private:
  size_t Append(const void* data, size_t bytes) {
    const size_t at = bytes_.size();
    bytes_.resize(at + bytes);
    if (bytes > 0) std::memcpy(bytes_.data() + at, data, bytes);
    return at;
  }

  // How many words at its beginning may be addresses.
  template <typename Item>
  static constexpr size_t WordsOfAddresses() {
    if (std::is_same_v<Item, ProductItem>) return 4;
    return sizeof(Item) / 8;
  }

  // Remembers which of the words are addresses of temporaries: where those begin is not known yet.
  void FixWords(size_t at, size_t count);

  std::vector<std::byte> bytes_;
  std::vector<size_t> fixes_;
  std::vector<Launch> launches_;
  std::vector<double> last_hyper_;
  uint64_t last_hyper_at_ = 0;
  std::vector<std::pair<const Operation*, uint64_t>> steps_;
};

}  // namespace tensorkv::cuda
