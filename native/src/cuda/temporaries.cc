#include "temporaries.h"

#include <algorithm>

#include "../step.h"
#include "rules.h"

namespace tensorkv::cuda {
namespace {

// How much of each a rule needs.
struct Needs {
  bool gradient, second;
  size_t partials, sums;
};

Needs NeedsOf(Rule rule) {
  switch (rule) {
    case Rule::kAdafactorMatrix:
      return {true, false, 2, 3};
    case Rule::kAdafactorVector:
    case Rule::kLars:
      return {true, false, 2, 2};
    case Rule::kGroupAdagrad:
      return {true, false, 0, 0};
    case Rule::kLamb:
      return {false, false, 2, 2};
    case Rule::kLans:
      return {true, true, 3, 4};
    case Rule::kMuon:
      return {true, true, 1, 1};
    case Rule::kElements:
      break;
  }
  return {false, false, 0, 0};
}

size_t Take(Temporaries& all, size_t bytes) {
  constexpr size_t kAlignment = 256;
  const size_t at = all.bytes;
  all.bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return at;
}

}  // namespace

Temporaries TemporariesOf(const Operation& operation) {
  Temporaries all;
  const size_t tile_bytes = TilesOf(operation.length) * sizeof(double);
  if (operation.code == Code::kSquares) {
    all.partials = Take(all, tile_bytes);
    return all;
  }
  const Rule rule = RuleOf(operation.rule);
  if (rule == Rule::kElements) return all;
  const Needs needs = NeedsOf(rule);
  const size_t element = BytesOf(ComputedIn(operation.dtype));
  const size_t bytes = operation.length * element;
  if (needs.gradient) all.gradient = Take(all, bytes);
  if (needs.second) all.second = Take(all, bytes);
  if (IsHalf(operation.dtype) && operation.master.address == 0) all.weights = Take(all, bytes);
  if (needs.partials > 0) all.partials = Take(all, needs.partials * tile_bytes);
  if (needs.sums > 0) all.sums = Take(all, needs.sums * sizeof(double));
  if (rule == Rule::kMuon) {
    const auto& hyper = operation.hyper;
    const size_t rows = kCommonHyper + 5, columns = kCommonHyper + 6;
    const auto side =
        static_cast<size_t>(hyper.size() > columns ? std::min(hyper[rows], hyper[columns]) : 0);
    for (size_t& square : all.squares) square = Take(all, side * side * element);
  }
  return all;
}

}  // namespace tensorkv::cuda
