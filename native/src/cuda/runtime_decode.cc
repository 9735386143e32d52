#include "runtime_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "../codec.h"
#include "../kernels.h"

namespace tensorkv::cuda {
namespace {

constexpr double kMostLength = 9007199254740991;
constexpr size_t kMostOperands = 4096;
// Of Muon; each is some launches.
constexpr double kMostIterations = 1000;
// The range goes on to the end of its allocation.
constexpr size_t kRest = SIZE_MAX;

bool IsFloating(Dtype dtype) { return dtype <= Dtype::kBfloat16; }

size_t Times(size_t a, size_t b) {
  size_t product = 0;
  Expect(!__builtin_mul_overflow(a, b, &product), "Expected fewer elements");
  return product;
}

// Reads numbers, one after the other.
class Words {
 public:
  explicit Words(std::span<const double> words) : words_(words) {}

  double Number() {
    Expect(next_ < words_.size(), "Expected more words");
    return words_[next_++];
  }
  size_t Count(double most) {
    const double number = Number();
    Expect(number >= 0 && number <= most && number == std::floor(number),
           "Expected a number that counts");
    return static_cast<size_t>(number);
  }
  // The low word of an int64, unsigned, and its high word, signed.
  int64_t Bits() {
    const auto low = static_cast<uint64_t>(Count(4294967295));
    const double high = Number();
    Expect(high >= -2147483648.0 && high <= 2147483647 && high == std::floor(high),
           "Expected the high word of an int64");
    return static_cast<int64_t>(low | static_cast<uint64_t>(static_cast<int64_t>(high)) << 32);
  }

 private:
  std::span<const double> words_;
  size_t next_ = 0;
};

// An operand before anybody knows how long it is.
struct Place {
  uint64_t id = 0;
  size_t offset = 0;
};

struct Head {
  Operation operation;
  Place stored, master, scratch, average, rows;
  std::vector<Place> inputs, outs, slots;
};

struct Range {
  uint64_t begin;
  size_t bytes;
  bool is_exact;
};

bool AreApart(const Range& a, const Range& b) {
  if (!a.is_exact || !b.is_exact) return a.begin != b.begin || a.bytes == 0 || b.bytes == 0;
  return a.begin + a.bytes <= b.begin || b.begin + b.bytes <= a.begin;
}

bool AreAligned(const Range& a, const Range& b) {
  return (a.begin == b.begin && a.bytes == b.bytes) || AreApart(a, b);
}

class Decoder {
 public:
  Decoder(std::span<const double> words, const Device& device, const FindAllocation& find)
      : words_(words), device_(device), find_(find) {}

  Decoded Take(size_t count) {
    decoded_.operations.reserve(std::min(count, size_t{4096}));
    for (size_t k = 0; k < count; ++k) {
      Head head = TakeHead();
      Complete(head);
      decoded_.operations.push_back(std::move(head.operation));
    }
    return std::move(decoded_);
  }

 private:
  Head TakeHead();
  void Complete(Head& head);
  void CompleteSum(Head& head);
  void CompleteStep(Head& head);
  void CompleteSlots(Head& head);
  void CompleteElements(Head& head, size_t inputs);
  void CompleteCodec(Head& head);
  void CompleteRows(Head& head);
  void CompleteNumber(Head& head);

  Place TakePlace() {
    const size_t id = words_.Count(kMostLength);
    return {id, words_.Count(kMostLength)};
  }
  void TakePlaces(size_t count, std::vector<Place>* places) {
    places->reserve(count);
    for (size_t k = 0; k < count; ++k) places->push_back(TakePlace());
  }

  // The memory at `place`: there are `bytes` bytes, and it starts where an element may.
  Operand Reach(const Place& place, size_t bytes, size_t alignment, bool writes);
  Operand ReachOptional(const Place& place, size_t bytes, size_t alignment, bool writes) {
    return place.id == 0 ? Operand{} : Reach(place, bytes, alignment, writes);
  }
  void ReachAll(const std::vector<Place>& places, size_t bytes, size_t alignment, bool writes,
                std::vector<Operand>* operands) {
    operands->reserve(places.size());
    for (const Place& place : places) {
      operands->push_back(Reach(place, bytes, alignment, writes));
    }
  }

  static Range RangeOf(const Operand& operand, bool is_exact = true) {
    return {operand.address, operand.bytes, is_exact};
  }
  static void RequireApart(const Range& a, const Range& b) {
    Expect(AreApart(a, b), "Expected arrays that do not overlap");
  }
  static void RequireAligned(const Range& a, const Range& b) {
    Expect(AreAligned(a, b), "Expected arrays that do not overlap in part");
  }
  static void RequireCounts(const Head& head, size_t inputs, size_t outs) {
    Expect(head.inputs.size() == inputs && head.outs.size() == outs && head.slots.empty(),
           "Expected as many arrays as the operation takes");
  }

  Words words_;
  const Device& device_;
  const FindAllocation& find_;
  Decoded decoded_;
  std::unordered_map<uint64_t, size_t> use_of_;
};

Operand Decoder::Reach(const Place& place, size_t bytes, size_t alignment, bool writes) {
  Expect(place.id != 0, "Expected an array");
  const auto [found, is_new] = use_of_.try_emplace(place.id, decoded_.uses.size());
  if (is_new) {
    std::shared_ptr<Allocation> allocation = find_(place.id);
    const Address address = allocation->address;
    decoded_.uses.push_back({std::move(allocation), address, false});
  }
  Use& use = decoded_.uses[found->second];
  use.writes |= writes;
  Expect(use.allocation->device == &device_, "Expected arrays of the device");
  const size_t room = use.allocation->bytes;
  Expect(place.offset <= room, "Expected a range inside of the allocation");
  if (bytes == kRest) bytes = room - place.offset;
  Expect(bytes <= room - place.offset, "Expected a range inside of the allocation");
  const uint64_t address = use.address + place.offset;
  Expect(address % alignment == 0, "Expected an array that starts where an element may");
  return {address, bytes};
}

Head Decoder::TakeHead() {
  Head head;
  Operation& operation = head.operation;
  operation.code = static_cast<Code>(words_.Count(static_cast<double>(Code::kIsFinite)));
  Expect(operation.code >= Code::kSum, "Expected a code");
  operation.dtype = static_cast<Dtype>(words_.Count(kDtypeCount - 1));
  operation.to = static_cast<Dtype>(words_.Count(kDtypeCount - 1));
  operation.length = words_.Count(kMostLength);
  operation.rule = words_.Count(kMostLength);
  operation.row_length = words_.Count(kMostLength);
  operation.two_bit = words_.Count(1) == 1;
  operation.threshold = static_cast<float>(words_.Number());
  operation.scalar.number = words_.Number();
  operation.scalar.bits = words_.Bits();
  const size_t inputs = words_.Count(kMostOperands), outs = words_.Count(kMostOperands);
  const size_t slots = words_.Count(kMostOperands), hyper = words_.Count(kMostHyper);
  for (Place* const place :
       {&head.stored, &head.master, &head.scratch, &head.average, &head.rows}) {
    *place = TakePlace();
  }
  TakePlaces(inputs, &head.inputs);
  TakePlaces(outs, &head.outs);
  TakePlaces(slots, &head.slots);
  operation.hyper.reserve(hyper);
  for (size_t k = 0; k < hyper; ++k) operation.hyper.push_back(words_.Number());
  return head;
}

void Decoder::Complete(Head& head) {
  const Code code = head.operation.code;
  if (code != Code::kStep) {
    const bool is_plain = head.stored.id == 0 && head.master.id == 0 && head.scratch.id == 0 &&
                          head.average.id == 0 && head.operation.hyper.empty();
    Expect(is_plain, "Expected no arrays of a step");
    const bool takes_rows =
        code == Code::kSumRows || code == Code::kGatherRows || code == Code::kScatterRows;
    Expect(takes_rows == (head.rows.id != 0), "Expected rows where they are taken");
  }
  switch (code) {
    case Code::kSum:
      return CompleteSum(head);
    case Code::kStep:
      return CompleteStep(head);
    case Code::kFill:
      return CompleteElements(head, 0);
    case Code::kCast:
    case Code::kAddNumber:
    case Code::kMultiplyNumber:
      return CompleteElements(head, 1);
    case Code::kAddScaled:
    case Code::kMultiply:
      return CompleteElements(head, 2);
    case Code::kEncode:
    case Code::kDecode:
    case Code::kQuantize:
      return CompleteCodec(head);
    case Code::kSumRows:
    case Code::kGatherRows:
    case Code::kScatterRows:
      return CompleteRows(head);
    case Code::kSquares:
    case Code::kIsFinite:
      return CompleteNumber(head);
  }
}

void Decoder::CompleteSum(Head& head) {
  Operation& operation = head.operation;
  Expect(!head.inputs.empty() && !head.outs.empty() && head.slots.empty(),
         "Expected an input and an out");
  const size_t size = BytesOf(operation.dtype), bytes = Times(operation.length, size);
  ReachAll(head.inputs, bytes, size, false, &operation.inputs);
  ReachAll(head.outs, bytes, size, true, &operation.outs);
  for (size_t k = 0; k < operation.outs.size(); ++k) {
    const Range out = RangeOf(operation.outs[k]);
    for (const Operand& input : operation.inputs) RequireAligned(out, RangeOf(input));
    for (size_t j = 0; j < k; ++j) RequireAligned(out, RangeOf(operation.outs[j]));
  }
}

void Decoder::CompleteElements(Head& head, size_t inputs) {
  Operation& operation = head.operation;
  RequireCounts(head, inputs, 1);
  const Dtype to = operation.code == Code::kCast ? operation.to : operation.dtype;
  const size_t size = BytesOf(operation.dtype), to_size = BytesOf(to);
  ReachAll(head.inputs, Times(operation.length, size), size, false, &operation.inputs);
  ReachAll(head.outs, Times(operation.length, to_size), to_size, true, &operation.outs);
  const Range out = RangeOf(operation.outs[0]);
  for (const Operand& input : operation.inputs) {
    if (to == operation.dtype) {
      RequireAligned(out, RangeOf(input));
    } else {
      RequireApart(out, RangeOf(input));
    }
  }
}

// The bytes of the codes of `length` elements.
size_t CodeBytes(bool two_bit, size_t length) {
  const size_t group = two_bit ? 16 : 32;
  return Times(length / group + (length % group != 0 ? 1 : 0), 4);
}

void Decoder::CompleteCodec(Head& head) {
  Operation& operation = head.operation;
  Expect(operation.dtype == Dtype::kFloat32, "Expected float32");
  Expect(std::isfinite(operation.threshold), "Expected a finite threshold");
  const size_t bytes = Times(operation.length, sizeof(float));
  const size_t codes = CodeBytes(operation.two_bit, operation.length);
  const auto reach = [&](const Place& place, size_t count, size_t alignment, bool writes) {
    return Reach(place, count, alignment, writes);
  };
  if (operation.code == Code::kDecode) {
    RequireCounts(head, 1, 1);
    operation.inputs = {reach(head.inputs[0], codes, 1, false)};
    operation.outs = {reach(head.outs[0], bytes, sizeof(float), true)};
    RequireApart(RangeOf(operation.inputs[0]), RangeOf(operation.outs[0]));
    return;
  }
  const bool encodes = operation.code == Code::kEncode;
  RequireCounts(head, encodes ? 1 : 2, 2);
  ReachAll(head.inputs, bytes, sizeof(float), false, &operation.inputs);
  operation.outs = {reach(head.outs[0], bytes, sizeof(float), true),
                    encodes ? reach(head.outs[1], codes, 1, true)
                            : reach(head.outs[1], bytes, sizeof(float), true)};
  const Range gradient = RangeOf(operation.inputs[0]);
  const Range left = RangeOf(operation.outs[0]), values = RangeOf(operation.outs[1]);
  RequireApart(gradient, left);
  RequireApart(left, values);
  if (encodes) {
    RequireApart(gradient, values);
    return;
  }
  const Range residual = RangeOf(operation.inputs[1]);
  RequireAligned(gradient, values);
  RequireAligned(residual, left);
  RequireApart(residual, values);
}

void Decoder::CompleteRows(Head& head) {
  Operation& operation = head.operation;
  const bool sums = operation.code == Code::kSumRows;
  const size_t size = sums ? BytesOf(operation.dtype) : 1;
  const size_t listed = Times(Times(operation.length, operation.row_length), size);
  if (sums) {
    Expect(head.outs.size() == 1 && head.slots.empty(), "Expected an out");
    // The starts are there; how many pieces follow, they say themselves.
    Expect(operation.length < static_cast<size_t>(kMostLength), "Expected fewer rows");
    const Operand rows = Reach(head.rows, kRest, 8, false);
    Expect(rows.bytes >= Times(operation.length + 1, 8), "Expected a table of pieces");
    operation.rows = rows;
    ReachAll(head.inputs, kRest, size, false, &operation.inputs);
  } else {
    RequireCounts(head, 1, 1);
    operation.rows = Reach(head.rows, Times(operation.length, 8), 8, false);
    const bool gathers = operation.code == Code::kGatherRows;
    ReachAll(head.inputs, gathers ? kRest : listed, size, false, &operation.inputs);
    if (!gathers) {
      ReachAll(head.outs, kRest, size, true, &operation.outs);
      RequireApart(RangeOf(operation.inputs[0]), RangeOf(operation.outs[0], false));
      RequireApart(RangeOf(operation.rows), RangeOf(operation.outs[0], false));
      return;
    }
  }
  ReachAll(head.outs, listed, size, true, &operation.outs);
  const Range out = RangeOf(operation.outs[0]);
  RequireApart(RangeOf(operation.rows, !sums), out);
  for (const Operand& input : operation.inputs) RequireApart(RangeOf(input, false), out);
}

void Decoder::CompleteNumber(Head& head) {
  Operation& operation = head.operation;
  const bool squares = operation.code == Code::kSquares;
  Expect(!squares || IsFloating(operation.dtype), "Expected a floating dtype");
  Expect(!head.inputs.empty() && head.outs.size() == 1 && head.slots.empty() &&
             (squares || head.inputs.size() == 1),
         "Expected as many arrays as the operation takes");
  const size_t size = BytesOf(operation.dtype), number = squares ? 8 : 4;
  ReachAll(head.inputs, Times(operation.length, size), size, false, &operation.inputs);
  ReachAll(head.outs, number, number, true, &operation.outs);
  for (const Operand& input : operation.inputs) {
    RequireApart(RangeOf(input), RangeOf(operation.outs[0]));
  }
}

void Decoder::CompleteStep(Head& head) {
  Operation& operation = head.operation;
  const KernelTable& table = *KernelsFor(Cpu::kBaseline);
  Expect(operation.rule < *table.step_count, "Expected an update rule");
  Expect(IsFloating(operation.dtype), "Expected a floating dtype");
  Expect(!head.inputs.empty(), "Expected an input");
  Expect(operation.hyper.size() >= kCommonHyper, "Expected hyper-parameters");
  // A rule finds a zero where it looks for more than was given.
  operation.hyper.resize(kMostHyper);
  const size_t size = BytesOf(operation.dtype), computed = BytesOf(ComputedIn(operation.dtype));
  const bool has_rows = head.rows.id != 0;
  const size_t listed = Times(operation.length, size);
  if (has_rows) {
    Expect(operation.row_length > 0 && operation.length % operation.row_length == 0,
           "Expected rows of one length");
    operation.rows = Reach(head.rows, Times(operation.length / operation.row_length, 8), 8, false);
  }
  // Which rows of it are there, the device alone knows.
  const size_t whole = has_rows ? kRest : Times(operation.length, computed);
  operation.stored = Reach(head.stored, has_rows ? kRest : listed, size, true);
  operation.master = ReachOptional(head.master, whole, computed, true);
  operation.average = ReachOptional(head.average, whole, computed, true);
  operation.scratch = ReachOptional(head.scratch, kRest, computed, true);
  Expect(operation.master.address == 0 || size < computed, "Expected a half type with a master");
  ReachAll(head.inputs, listed, size, false, &operation.inputs);
  ReachAll(head.outs, has_rows ? kRest : listed, size, true, &operation.outs);
  CompleteSlots(head);

  std::vector<Range> apart = {RangeOf(operation.stored, !has_rows)};
  for (const Operand* each : {&operation.master, &operation.average}) {
    if (each->address != 0) apart.push_back(RangeOf(*each, !has_rows));
  }
  if (operation.scratch.address != 0) apart.push_back(RangeOf(operation.scratch, false));
  for (const Operand& slot : operation.slots) apart.push_back(RangeOf(slot, !has_rows));
  for (size_t k = 0; k < apart.size(); ++k) {
    for (size_t j = 0; j < k; ++j) RequireApart(apart[k], apart[j]);
    for (const Operand& input : operation.inputs) {
      if (k == 0 && !has_rows) {
        RequireAligned(apart[k], RangeOf(input));
      } else {
        RequireApart(apart[k], RangeOf(input));
      }
    }
    if (has_rows) RequireApart(RangeOf(operation.rows), apart[k]);
  }
  for (size_t k = 0; k < operation.outs.size(); ++k) {
    const Range out = RangeOf(operation.outs[k], !has_rows);
    for (size_t j = 1; j < apart.size(); ++j) RequireApart(out, apart[j]);
    if (has_rows) RequireApart(RangeOf(operation.rows), out);
    if (!has_rows) RequireAligned(out, apart[0]);
    for (const Operand& input : operation.inputs) {
      if (has_rows) {
        RequireApart(out, RangeOf(input));
      } else {
        RequireAligned(out, RangeOf(input));
      }
    }
    for (size_t j = 0; j < k; ++j) {
      const Range other = RangeOf(operation.outs[j], !has_rows);
      Expect(AreAligned(out, other), "Expected arrays that do not overlap in part");
    }
  }
}

// Elements of each slot of a rule that sees the whole tensor; src/core/optimizers has them.
std::vector<size_t> WholeSlots(const char* rule, const double* own, size_t length) {
  const auto is = [rule](const char* name) { return std::strcmp(rule, name) == 0; };
  const auto count = [](double number) {
    Expect(number >= 0 && number <= kMostLength && number == std::floor(number),
           "Expected a shape among the hyper-parameters");
    return static_cast<size_t>(number);
  };
  if (is("lamb") || is("lans")) return {length, length};
  if (is("lars") || is("adafactorVector")) return {length};
  if (is("groupAdagrad")) {
    const size_t columns = count(own[2]);
    Expect(length == 0 || (columns > 0 && length % columns == 0), "Expected rows of one length");
    return {columns == 0 ? 0 : length / columns};
  }
  const bool is_muon = is("muon");
  Expect(is_muon || is("adafactorMatrix"), "Expected a rule that is known");
  Expect(!is_muon || (own[3] >= 0 && own[3] <= kMostIterations && own[3] == std::floor(own[3])),
         "Expected a number of iterations among the hyper-parameters");
  const size_t rows = count(own[is_muon ? 5 : 8]), columns = count(own[is_muon ? 6 : 9]);
  Expect(Times(rows, columns) == length, "Expected the shape of the tensor");
  return is_muon ? std::vector<size_t>{length} : std::vector<size_t>{rows, columns};
}

void Decoder::CompleteSlots(Head& head) {
  Operation& operation = head.operation;
  const StepKernel& rule = KernelsFor(Cpu::kBaseline)->steps[operation.rule];
  const size_t computed = BytesOf(ComputedIn(operation.dtype));
  const bool has_rows = head.rows.id != 0;
  std::vector<size_t> lengths;
  if (rule.slots == kWhole) {
    Expect(!has_rows, "Expected a rule that takes rows");
    lengths = WholeSlots(rule.name, operation.hyper.data() + kCommonHyper, operation.length);
  } else {
    lengths.assign(rule.slots, operation.length);
  }
  Expect(head.slots.size() == lengths.size(), "Expected the slots of the rule");
  for (size_t k = 0; k < lengths.size(); ++k) {
    operation.slots.push_back(
        Reach(head.slots[k], has_rows ? kRest : Times(lengths[k], computed), computed, true));
  }
}

}  // namespace

Decoded Decode(std::span<const double> words, size_t count, const Device& device,
               const FindAllocation& find) {
  return Decoder(words, device, find).Take(count);
}

}  // namespace tensorkv::cuda
