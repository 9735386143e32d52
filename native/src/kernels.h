#pragma once

#include <cstddef>

#include "dtype.h"
#include "sgd_hyper.h"

namespace tensorkv {

// Instruction sets that kernels are compiled for, each one including those before it. The baseline
// is what every machine of the architecture has: SSE2 on x86-64, NEON on arm64.
enum class Cpu : unsigned char { kBaseline, kAvx2, kAvx512 };

constexpr Cpu kCpus[] = {Cpu::kBaseline, Cpu::kAvx2, Cpu::kAvx512};

// One compiled copy of every kernel. What each promises stands in its own header. A null entry: the
// kernel has no meaning for that dtype.
struct KernelTable {
  using ReduceSum = void (*)(const void* const* inputs, size_t count, void* out, size_t length);
  using SgdStep = void (*)(const void* const* inputs, size_t count, void* stored, void* momentum,
                           const SgdHyper& hyper, size_t length);
  using Copy = void (*)(const void* source, void* const* outs, size_t count, size_t bytes);
  using Cast = void (*)(const void* source, void* out, size_t length);

  ReduceSum reduce_sum[kDtypeCount];
  SgdStep sgd_step[kDtypeCount];
  Copy copy;
  Cast cast[kDtypeCount][kDtypeCount];  // [from][to]
};

// The copy for `cpu`, or null where this machine (processor and operating system) cannot run it or
// the compiler could not make it. All copies give the same bits, payloads of NaNs apart.
const KernelTable* KernelsFor(Cpu cpu);

// "baseline" ("neon" on arm64), "avx2", "avx512".
const char* NameOf(Cpu cpu);

}  // namespace tensorkv
