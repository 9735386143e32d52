#include <cstdint>
#include <set>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

constexpr size_t kRowLengths[] = {0, 1, 3, 64, 700};

// `count` ascending ids, a step of 1 to 3 apart, from `first` on.
Array<int64_t> Ids(size_t count, int64_t first, uint32_t seed) {
  Array<int64_t> ids(count, seed % 3);
  Random random(seed);
  int64_t id = first;
  for (size_t i = 0; i < count; ++i) {
    ids[i] = id;
    id += 1 + random.Next() % 3;
  }
  return ids;
}

IdList ListOf(const Array<int64_t>& ids) { return {ids.data(), ids.data() + ids.size()}; }

std::vector<Array<int64_t>> ManyIds(size_t count, size_t length, int64_t first) {
  std::vector<Array<int64_t>> lists;
  for (size_t k = 0; k < count; ++k)
    lists.push_back(Ids(length + k, first, static_cast<uint32_t>(k + 7)));
  return lists;
}

void TestUnion(const KernelTable& kernels, size_t count, size_t length, int64_t first) {
  const auto lists = ManyIds(count, length, first);
  std::vector<IdList> views;
  std::set<int64_t> expected;
  size_t total = 0;
  for (const auto& list : lists) {
    views.push_back(ListOf(list));
    expected.insert(list.data(), list.data() + list.size());
    total += list.size();
  }
  Array<int64_t> out(total);
  CHECK(kernels.union_ids(views.data(), count, out.data()) == expected.size());
  size_t i = 0;
  for (const int64_t id : expected) CHECK(out[i++] == id);
}

// Sums to every second id of the first list, and to one that no list has.
void TestSum(const KernelTable& kernels, size_t count, size_t length, size_t row_length) {
  const auto lists = ManyIds(count, length, 1000);
  std::vector<Array<float>> rows;
  std::vector<RowInput> inputs;
  std::vector<int64_t> wanted;
  for (size_t k = 0; k < count; ++k) {
    rows.emplace_back(lists[k].size() * row_length, k % 3, static_cast<uint32_t>(k));
    inputs.push_back({ListOf(lists[k]), reinterpret_cast<const char*>(rows[k].data())});
  }
  for (size_t i = 0; count > 0 && i < lists[0].size(); i += 2) wanted.push_back(lists[0][i]);
  wanted.push_back(1'000'000);
  std::vector<float> expected(wanted.size() * row_length);
  for (size_t j = 0; j < wanted.size(); ++j) {
    bool found = false;
    for (size_t k = 0; k < count; ++k) {
      for (size_t i = 0; i < lists[k].size(); ++i) {
        if (lists[k][i] != wanted[j]) continue;
        for (size_t x = 0; x < row_length; ++x) {
          float& sum = expected[j * row_length + x];
          const float addend = rows[k][i * row_length + x];
          sum = found ? sum + addend : addend;
        }
        found = true;
      }
    }
  }
  Array<float> out(expected.size(), 1);
  std::vector<const void*> matching(count);
  kernels.sum_rows({.inputs = inputs.data(),
                    .count = count,
                    .out_ids = wanted.data(),
                    .out_count = wanted.size(),
                    .out_rows = reinterpret_cast<char*>(out.data()),
                    .row_length = row_length,
                    .row_bytes = row_length * sizeof(float),
                    .sum = kernels.reduce_sum[static_cast<size_t>(Dtype::kFloat32)],
                    .matching = matching.data()});
  CHECK(AreSame(out, expected));
}

void TestMoves(const KernelTable& kernels, size_t count, size_t row_bytes) {
  Array<uint8_t> source(count * row_bytes, 1);
  Array<int64_t> positions(count + 1);
  for (size_t i = 0; i < count; ++i) positions[i] = static_cast<int64_t>(count - 1 - i);
  positions[count] = -1;
  Array<uint8_t> out((count + 1) * row_bytes, 2, 3);
  const char* const from = reinterpret_cast<const char*>(source.data());
  char* const to = reinterpret_cast<char*>(out.data());
  kernels.gather_rows(from, positions.data(), count + 1, to, row_bytes);
  for (size_t i = 0; i < count * row_bytes; ++i) {
    const size_t row = count - 1 - i / row_bytes;
    CHECK(out[i] == source[row * row_bytes + i % row_bytes]);
  }
  for (size_t i = 0; i < row_bytes; ++i) CHECK(out[count * row_bytes + i] == 0);

  Array<uint8_t> target(count * row_bytes, 3, 4);
  kernels.scatter_rows(to, positions.data(), count, reinterpret_cast<char*>(target.data()),
                       row_bytes);
  for (size_t i = 0; i < count * row_bytes; ++i) CHECK(target[i] == source[i]);
}

// A table without any structure: every place is full but one, so that searches go all the way
// round.
void TestFind(const KernelTable& kernels) {
  const Array<int64_t> present = Ids(7, int64_t{1} << 53, 5);
  Array<int32_t> slots(8);
  for (size_t i = 0; i < 8; ++i) slots[i] = static_cast<int32_t>(i);
  Array<int64_t> ids(8);
  for (size_t i = 0; i < 7; ++i) ids[i] = present[6 - i];
  ids[7] = -5;
  Array<int64_t> out(8);
  const RowTable table = {slots.data(), 8, present.data(), 7};
  const size_t absent = kernels.find_rows(table, ids.data(), 8, out.data());
  size_t missed = 0;
  for (size_t i = 0; i < 8; ++i) {
    // What stands behind the empty place in the order of a search is not found.
    CHECK(out[i] == -1 || (i < 7 && out[i] == static_cast<int64_t>(6 - i)));
    missed += out[i] == -1;
  }
  CHECK(missed == absent);
  CHECK(out[7] == -1);
}

}  // namespace

void TestRows(const KernelTable& kernels) {
  for (const size_t count : {0, 1, 2, 3, 8, 9, 20}) {
    for (const size_t length : {0, 1, 2, 100}) {
      for (const int64_t first : {int64_t{0}, int64_t{1} << 53, int64_t{1} << 62})
        TestUnion(kernels, count, length, first);
      for (const size_t row_length : kRowLengths) TestSum(kernels, count, length, row_length);
    }
  }
  for (const size_t count : {0, 1, 2, 33}) {
    for (const size_t row_bytes : {1, 2, 4, 7, 8, 256, 1001}) TestMoves(kernels, count, row_bytes);
  }
  TestFind(kernels);
}

}  // namespace tensorkv::test
