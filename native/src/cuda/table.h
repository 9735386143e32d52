#pragma once

#include <cstddef>
#include <cstdint>

// What plan.cc writes and the kernels read. A launch has a table of chunks, one a block; a chunk
// names an item and a part of its elements.
//
//    plan's memory            the table of a launch
//    0                        |
//    +-------+----------------+-------+-------+-------+-----+------------------+
//    | items |  of launches   | chunk | chunk | chunk | ... | temporaries      |
//    +-------+----------------+-------+-------+-------+-----+------------------+
//        ^-------------------- item * 8
namespace tensorkv::cuda {

// Of every block but those that say otherwise.
constexpr uint32_t kThreads = 256;
constexpr uint32_t kWarp = 32;

// Marks an address that is an offset into the plan's memory.
constexpr uint64_t kInMemory = uint64_t{1} << 63;

struct Chunk {
  uint64_t begin;   // the first element
  uint32_t length;  // elements
  uint32_t item;    // where it is in the plan's memory, in units of 8 bytes
};

// An operation on lists of arrays. The addresses of inputs and outs are behind it.
struct ListItem {
  uint64_t length;  // elements
  double number;
  int64_t bits;
  uint64_t partials;  // a double a tile
  uint32_t inputs, outs;
  uint32_t wide;  // whether all addresses are multiples of 16
  float threshold;
};

// Where the rows of an operation are; addresses are behind it too.
struct RowItem {
  uint64_t rows, row_length, length;
  uint32_t inputs, outs;
  uint32_t unit;        // elements, or bytes, that are moved at once
  uint32_t lanes_log2;  // of threads that share a row
};

// A step of an update rule.
struct StepItem {
  uint64_t stored, master, average, rows, row_length;
  uint64_t slots[3];
  uint64_t hyper, list;  // offsets: hyper-parameters; addresses of inputs, then of outs
  uint32_t inputs, outs;
  uint32_t lanes_log2;
  uint16_t wide, keeps_master;
};

// A step that needs the whole tensor, in several launches.
struct WholeItem {
  StepItem step;
  uint64_t length, rows, columns;
  uint64_t gradient, second;  // temporaries as long as the tensor, or 0
  uint64_t partials;          // a double a tile, up to three times
  uint64_t sums;              // up to four doubles
};

// sum of `count` numbers, in order
struct PartialItem {
  uint64_t from, to, count;
};

// to = from of rows x columns, turned; or from times a number that the sum at `sum` gives
struct MatrixItem {
  uint64_t from, to, rows, columns, sum;
};

// out = a b, or scale * addend + factor * (a b); b may be given turned.
struct ProductItem {
  uint64_t a, b, addend, out;
  uint64_t rows, columns, depth;
  double scale, factor;
  uint64_t turned;
};

static_assert(sizeof(Chunk) == 16 && sizeof(ListItem) == 48 && sizeof(RowItem) == 40);
static_assert(sizeof(StepItem) == 96 && sizeof(WholeItem) == 152 && sizeof(PartialItem) == 24);
static_assert(sizeof(MatrixItem) == 40 && sizeof(ProductItem) == 80);
static_assert(offsetof(Chunk, item) == 12 && offsetof(ListItem, wide) == 40);
static_assert(offsetof(StepItem, hyper) == 64 && offsetof(StepItem, wide) == 92);
static_assert(offsetof(WholeItem, length) == 96 && offsetof(ProductItem, scale) == 56);

// What a matrix product's block makes, and the rows and columns of other square tiles.
constexpr uint32_t kProductSide = 64;
constexpr uint32_t kSide = 32;

}  // namespace tensorkv::cuda
