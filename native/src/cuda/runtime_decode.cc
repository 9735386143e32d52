#include "runtime_decode.h"

#include "../codec.h"
#include "runtime_decoder.h"

namespace tensorkv::cuda {
namespace {

constexpr size_t kMostOperands = 4096;

// The bytes of the codes of `length` elements.
size_t CodeBytes(bool two_bit, size_t length) {
  const size_t group = two_bit ? 16 : 32;
  return Times(length / group + (length % group != 0 ? 1 : 0), 4);
}

}  // namespace

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
  // The starts of a table are there; how many pieces follow, they say themselves.
  const size_t words = operation.length + (sums ? 1 : 0);
  if (sums) {
    Expect(head.outs.size() == 1 && head.slots.empty(), "Expected an out");
    operation.rows = Reach(head.rows, kRest, 8, false);
    Expect(operation.rows.bytes >= Times(words, 8), "Expected a table of pieces");
    ReachAll(head.inputs, kRest, size, false, &operation.inputs);
  } else {
    RequireCounts(head, 1, 1);
    operation.rows = Reach(head.rows, Times(words, 8), 8, false);
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
  RequireApart({operation.rows.address, Times(words, 8), true}, out);
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

Decoded Decode(std::span<const double> words, size_t count, const Device& device,
               const FindAllocation& find) {
  return Decoder(words, device, find).Take(count);
}

}  // namespace tensorkv::cuda
