#pragma once

#include <cstddef>

#include "codec.h"
#include "dtype.h"
#include "row_lists.h"
#include "step.h"

namespace tensorkv {

// Instruction sets that kernels are compiled for, each one including those before it. The baseline
// is what every machine of the architecture has: SSE2 on x86-64, NEON on arm64.
enum class Cpu : unsigned char { kBaseline, kAvx2, kAvx512 };

constexpr Cpu kCpus[] = {Cpu::kBaseline, Cpu::kAvx2, Cpu::kAvx512};

// One compiled copy of every kernel. What each promises stands in its own header.
struct KernelTable {
  using ReduceSum = void (*)(const void* const* inputs, size_t count, void* out, size_t length);
  using Copy = void (*)(const void* source, void* const* outs, size_t count, size_t bytes);
  using Cast = void (*)(const void* source, void* out, size_t length);
  using MoveRows = void (*)(const char* source, const int64_t* positions, size_t count, char* out,
                            size_t row_bytes);
  using IsFinite = bool (*)(const void* source, size_t length);

  ReduceSum reduce_sum[kDtypeCount];
  Copy copy;
  void (*copy_piece)(const void* source, void* const* outs, size_t count, size_t bytes,
                     bool streams);
  void (*finish_streams)();
  Cast cast[kDtypeCount][kDtypeCount];  // [from][to]
  IsFinite is_finite[kDtypeCount];
  // The sum of the squares of a sum; null for integers.
  double (*squares[kDtypeCount])(const void* const* inputs, size_t count, size_t length);
  // See compression.h.
  void (*encode)(const CodecSpec& codec, const float* gradient, float* residual, uint8_t* out,
                 size_t length);
  void (*decode)(const CodecSpec& codec, const uint8_t* bytes, float* out, size_t length);
  void (*quantize)(const CodecSpec& codec, const float* gradient, const float* residual,
                   float* left, float* out, size_t length);
  // See rows.h.
  size_t (*union_ids)(IdList* lists, size_t count, int64_t* out);
  void (*sum_rows)(const RowSum& args);
  MoveRows gather_rows;
  MoveRows scatter_rows;
  size_t (*find_rows)(const RowTable& table, const int64_t* ids, size_t count, int64_t* out);
  const StepKernel* steps;  // see steps.h
  const size_t* step_count;
};

// The copy for `cpu`, or null where this machine (processor and operating system) cannot run it or
// the compiler could not make it. All copies give the same bits, payloads of NaNs apart.
const KernelTable* KernelsFor(Cpu cpu);

// "baseline" ("neon" on arm64), "avx2", "avx512".
const char* NameOf(Cpu cpu);

}  // namespace tensorkv
