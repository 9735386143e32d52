#pragma once

#include "step.cuh"
#include "tiles.cuh"

// Update rules that need the whole tensor, in several launches; whole_steps.cc has their order.
//   first:  sums the gradients, moves slots, keeps what later launches need, and adds up squares
//   second: the same again for rules that need a sum before they have a direction
//   last:   the new weights
namespace tensorkv::TENSORKV_LEVEL {
namespace {

using cuda::WholeItem;

// What the launches of an item share.
template <typename C>
struct Whole {
  char* memory;
  const WholeItem& item;
  const double* hyper;  // of the rule
  double* sums;
  C* gradient;
  C* second;
  C* slots[2];

  __device__ Whole(char* where, const WholeItem& whole)
      : memory(where),
        item(whole),
        hyper(HyperOf(where, whole.step) + kCommonHyper),
        sums(Pointer<double>(where, whole.sums)),
        gradient(Pointer<C>(where, whole.gradient)),
        second(Pointer<C>(where, whole.second)),
        slots{Pointer<C>(where, whole.step.slots[0]), Pointer<C>(where, whole.step.slots[1])} {}
};

// Position `i` of a matrix.
struct Place {
  uint64_t row, column;
};
__device__ inline Place PlaceOf(uint64_t i, uint64_t columns) {
  if (((i | columns) >> 32) == 0) {
    const auto low = static_cast<uint32_t>(i), by = static_cast<uint32_t>(columns);
    return {low / by, low % by};
  }
  return {i / columns, i % columns};
}

// The rules, each with Move(whole, i, w, g, sums) of its first launch; kKeeps: g is needed later.
template <typename C>
struct LambFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = false;
  Lamb<C> rule;
  __device__ explicit LambFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C w, C& g, double* sums) const {
    const C r = rule.Move(w, g, whole.slots[0][i], whole.slots[1][i]);
    AddSquare(sums[0], w);
    AddSquare(sums[1], r);
  }
};

template <typename C>
struct LarsFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = true;
  __device__ explicit LarsFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C w, C& g, double* sums) const {
    AddSquare(sums[0], w);
    AddSquare(sums[1], g);
  }
};

template <typename C>
struct LansFirst {
  static constexpr uint32_t kSums = 1;
  static constexpr bool kKeeps = true;
  __device__ explicit LansFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C, C& g, double* sums) const {
    AddSquare(sums[0], g);
  }
};

template <typename C>
struct AdafactorVectorFirst {
  static constexpr uint32_t kSums = 2;
  static constexpr bool kKeeps = true;
  AdafactorVector<C> rule;
  __device__ explicit AdafactorVectorFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C w, C& g, double* sums) const {
    rule.Move(g, whole.slots[0][i]);
    AddSquare(sums[0], g);
    AddSquare(sums[1], w);
  }
};

// Keeps the gradient, and that is all.
template <typename C>
struct KeepFirst {
  static constexpr uint32_t kSums = 0;
  static constexpr bool kKeeps = true;
  __device__ explicit KeepFirst(const Whole<C>&) {}
  __device__ void Move(const Whole<C>&, uint64_t, C, C&, double*) const {}
};

template <typename C>
struct MuonFirst {
  static constexpr uint32_t kSums = 0;
  static constexpr bool kKeeps = true;
  Muon<C> rule;
  __device__ explicit MuonFirst(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ void Move(const Whole<C>& whole, uint64_t i, C, C& g, double*) const {
    g = rule.Move(g, whole.slots[0][i]);
  }
};

template <template <typename> class First, typename T>
__device__ inline void FirstChunk(char* memory, uint64_t table) {
  using C = Compute<T>;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Weights<T> weights(memory, item.step);
  const First<C> first(whole);
  const auto move = [&](uint64_t i, double* sums) {
    // Where no master has the weights of a half type, a temporary has them from here on.
    const bool is_copied = weights.master != nullptr && item.step.keeps_master == 0;
    const Pack<C, 1> w = is_copied ? LoadWide<T, 1>(weights.stored + i) : weights.template At<1>(i);
    if (is_copied) weights.master[i] = w.x[0];
    C g = weights.GradientAt(i, w).x[0];
    first.Move(whole, i, w.x[0], g, sums);
    if (First<C>::kKeeps) whole.gradient[i] = g;
  };
  if constexpr (First<C>::kSums > 0) {
    double* const partials = Pointer<double>(memory, item.partials);
    ForEachInTiles<First<C>::kSums>(chunk, TilesIn(item.length), partials, move);
  } else {
    ForEach<1>(chunk, false, [&](auto, uint64_t at) { move(at, nullptr); });
  }
}

// The second launches: on weights as they are computed.
template <typename C>
__device__ inline void LansSecond(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Lans<C> rule(whole.hyper);
  const C scale = Lans<C>::Scale(whole.sums[0]);
  const C* const w = Pointer<const C>(memory, item.step.master);
  ForEachInTiles<3>(chunk, TilesIn(item.length), Pointer<double>(memory, item.partials),
                    [&](uint64_t i, double* sums) {
                      C g = whole.gradient[i];
                      const C q = rule.Move(scale, w[i], g, whole.slots[0][i], whole.slots[1][i]);
                      whole.gradient[i] = g;
                      whole.second[i] = q;
                      AddSquare(sums[0], w[i]);
                      AddSquare(sums[1], g);
                      AddSquare(sums[2], q);
                    });
}

template <typename C>
__device__ inline void AdafactorMatrixSecond(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  const C mean = rule.Mean(whole.sums[2]);
  const C* const w = Pointer<const C>(memory, item.step.master);
  ForEachInTiles<2>(chunk, TilesIn(item.length), Pointer<double>(memory, item.partials),
                    [&](uint64_t i, double* sums) {
                      const Place at = PlaceOf(i, item.columns);
                      const C share = whole.slots[0][at.row] / mean;
                      const C g = AdafactorMatrix<C>::Direction(whole.gradient[i], share,
                                                                whole.slots[1][at.column]);
                      whole.gradient[i] = g;
                      AddSquare(sums[0], g);
                      AddSquare(sums[1], w[i]);
                    });
}

// Squares of rows, each added in order: a block takes 32 rows, and 32 of their columns at a time.
// Calls end(row, sum) for each.
template <typename C, typename Square, typename End>
__device__ inline void ForEachRowSum(const Chunk& chunk, const C* from, uint64_t columns,
                                     Square square, End end) {
  constexpr uint32_t kSide = cuda::kSide;
  __shared__ C tile[kSide][kSide + 1];
  const uint32_t line = threadIdx.x / kSide, place = threadIdx.x % kSide;
  double sum = 0;
  TENSORKV_ROLLED
  for (uint64_t first = 0; first < columns; first += kSide) {
    TENSORKV_ROLLED
    for (uint32_t k = line; k < chunk.length; k += blockDim.x / kSide) {
      if (first + place < columns) {
        tile[k][place] = from[(chunk.begin + k) * columns + first + place];
      }
    }
    __syncthreads();
    if (threadIdx.x < chunk.length) {
      TENSORKV_ROLLED
      for (uint32_t k = 0; k < kSide && first + k < columns; ++k) {
        sum += square(tile[threadIdx.x][k]);
      }
    }
    __syncthreads();
  }
  if (threadIdx.x < chunk.length) end(chunk.begin + threadIdx.x, sum);
}

template <typename C>
__device__ inline void AdafactorRows(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  ForEachRowSum(
      chunk, whole.gradient, item.columns, [&](C g) { return rule.Square(g); },
      [&](uint64_t row, double sum) {
        whole.slots[0][row] = rule.Factor(whole.slots[0][row], sum, item.columns);
      });
}

template <typename C>
__device__ inline void AdafactorColumns(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const AdafactorMatrix<C> rule(whole.hyper);
  ForEach<1>(chunk, false, [&](auto, uint64_t column) {
    double sum = 0;
    TENSORKV_UNROLLED_BY_FOUR
    for (uint64_t row = 0; row < item.rows; ++row) {
      sum += rule.Square(whole.gradient[row * item.columns + column]);
    }
    whole.slots[1][column] = rule.Factor(whole.slots[1][column], sum, item.rows);
  });
}

template <typename C>
__device__ inline void GroupAdagradRows(char* memory, uint64_t table) {
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const GroupAdagrad<C> rule(whole.hyper);
  ForEachRowSum(
      chunk, whole.gradient, item.columns, [](C g) { return GroupAdagrad<C>::Square(g); },
      [&](uint64_t row, double sum) {
        whole.slots[0][row] = rule.History(whole.slots[0][row], sum);
      });
}

// The last launches, each with Next(whole, i, w, g): the new w.
template <typename C>
struct LambLast {
  static constexpr bool kHasGradient = false;
  Lamb<C> rule;
  C rate;
  __device__ explicit LambLast(const Whole<C>& whole)
      : rule(whole.hyper), rate(rule.Rate(whole.sums[0], whole.sums[1])) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C) const {
    return rule.Next(rate, w, whole.slots[0][i], whole.slots[1][i]);
  }
};

template <typename C>
struct LarsLast {
  static constexpr bool kHasGradient = true;
  Lars<C> rule;
  C rate;
  __device__ explicit LarsLast(const Whole<C>& whole)
      : rule(whole.hyper), rate(rule.Rate(whole.sums[0], whole.sums[1])) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    return rule.Next(rate, w, g, whole.slots[0][i]);
  }
};

template <typename C>
struct LansLast {
  static constexpr bool kHasGradient = true;
  C rate_m, rate_g;
  __device__ explicit LansLast(const Whole<C>& whole) {
    const Lans<C> rule(whole.hyper);
    rate_m = rule.Rate(rule.beta1, whole.sums[1], whole.sums[2]);
    rate_g = rule.Rate(rule.rest1, whole.sums[1], whole.sums[3]);
  }
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    return Lans<C>::Next(rate_m, rate_g, w, g, whole.second[i]);
  }
};

template <typename C>
struct AdafactorLast {
  static constexpr bool kHasGradient = true;
  AdafactorStep<C> step;
  __device__ explicit AdafactorLast(const Whole<C>& whole)
      : step(whole.hyper, whole.sums[0], whole.sums[1], whole.item.length) {}
  __device__ C Next(const Whole<C>&, uint64_t, C w, C g) const { return step.Next(w, g); }
};

template <typename C>
struct GroupAdagradLast {
  static constexpr bool kHasGradient = true;
  GroupAdagrad<C> rule;
  __device__ explicit GroupAdagradLast(const Whole<C>& whole) : rule(whole.hyper) {}
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C g) const {
    const C history = whole.slots[0][PlaceOf(i, whole.item.columns).row];
    return GroupAdagrad<C>::Next(rule.lr, w, g, rule.RootOf(history));
  }
};

template <typename C>
struct MuonLast {
  static constexpr bool kHasGradient = false;
  Muon<C> rule;
  C rate;
  __device__ explicit MuonLast(const Whole<C>& whole) : rule(whole.hyper), rate(rule.Rate()) {}
  // Matrices that are higher than wide were turned.
  __device__ C Next(const Whole<C>& whole, uint64_t i, C w, C) const {
    const Place at = PlaceOf(i, rule.columns);
    const uint64_t turned = at.column * rule.rows + at.row;
    return rule.Next(rate, w, whole.second[rule.rows > rule.columns ? turned : i]);
  }
};

template <template <typename> class Last, typename T>
__device__ inline void LastChunk(char* memory, uint64_t table) {
  using C = Compute<T>;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<WholeItem>(memory, chunk);
  const Whole<C> whole(memory, item);
  const Weights<T> weights(memory, item.step);
  const Last<C> last(whole);
  ForEach<kPerStep<T>>(chunk, item.step.wide != 0, [&](auto width, uint64_t at) {
    constexpr uint32_t kCount = decltype(width)::value;
    Pack<C, kCount> w = weights.template At<kCount>(at), g = {};
    if constexpr (Last<C>::kHasGradient) g = Load<kCount>(whole.gradient + at);
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kCount; ++k) w.x[k] = last.Next(whole, at + k, w.x[k], g.x[k]);
    weights.Publish(at, w);
  });
}

}  // namespace

#define TENSORKV_FIRST(Kernel, name, Rule)                                           \
  Kernel(first_##name##_float32) { FirstChunk<Rule##First, float>(memory, table); }  \
  Kernel(first_##name##_float64) { FirstChunk<Rule##First, double>(memory, table); } \
  Kernel(first_##name##_float16) { FirstChunk<Rule##First, Half>(memory, table); }   \
  Kernel(first_##name##_bfloat16) { FirstChunk<Rule##First, Bfloat16>(memory, table); }
#define TENSORKV_LAST(name, Rule)                                                          \
  TENSORKV_KERNEL(step_##name##_float32) { LastChunk<Rule##Last, float>(memory, table); }  \
  TENSORKV_KERNEL(step_##name##_float64) { LastChunk<Rule##Last, double>(memory, table); } \
  TENSORKV_KERNEL(step_##name##_float16) { LastChunk<Rule##Last, Half>(memory, table); }   \
  TENSORKV_KERNEL(step_##name##_bfloat16) { LastChunk<Rule##Last, Bfloat16>(memory, table); }
#define TENSORKV_WHOLE(name, C)                                                             \
  TENSORKV_MEETING_KERNEL(second_lans_##name) { LansSecond<C>(memory, table); }             \
  TENSORKV_MEETING_KERNEL(second_adafactorMatrix_##name) {                                  \
    AdafactorMatrixSecond<C>(memory, table);                                                \
  }                                                                                         \
  TENSORKV_MEETING_KERNEL(rows_adafactorMatrix_##name) { AdafactorRows<C>(memory, table); } \
  TENSORKV_KERNEL(columns_adafactorMatrix_##name) { AdafactorColumns<C>(memory, table); }   \
  TENSORKV_MEETING_KERNEL(rows_groupAdagrad_##name) { GroupAdagradRows<C>(memory, table); }

TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lamb, Lamb)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lars, Lars)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, lans, Lans)
TENSORKV_FIRST(TENSORKV_MEETING_KERNEL, adafactorVector, AdafactorVector)
TENSORKV_FIRST(TENSORKV_KERNEL, keep, Keep)
TENSORKV_FIRST(TENSORKV_KERNEL, muon, Muon)
TENSORKV_EACH_COMPUTED(TENSORKV_WHOLE)
TENSORKV_LAST(lamb, Lamb)
TENSORKV_LAST(lars, Lars)
TENSORKV_LAST(lans, Lans)
TENSORKV_LAST(adafactorVector, Adafactor)
TENSORKV_LAST(adafactorMatrix, Adafactor)
TENSORKV_LAST(groupAdagrad, GroupAdagrad)
TENSORKV_LAST(muon, Muon)

}  // namespace tensorkv::TENSORKV_LEVEL
