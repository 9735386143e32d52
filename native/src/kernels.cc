#include "kernels.h"

namespace tensorkv {

namespace baseline {
extern const KernelTable kTable;
}
#ifdef TENSORKV_AVX2
namespace avx2 {
extern const KernelTable kTable;
}
#endif
#ifdef TENSORKV_AVX512
namespace avx512 {
extern const KernelTable kTable;
}
#endif

const KernelTable* KernelsFor(Cpu cpu) {
  switch (cpu) {
    case Cpu::kBaseline:
      return &baseline::kTable;
#ifdef TENSORKV_AVX2
    // __builtin_cpu_supports also asks the operating system whether it saves the wide registers.
    case Cpu::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") ? &avx2::kTable
                                                                              : nullptr;
#endif
#ifdef TENSORKV_AVX512
    case Cpu::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("f16c")
                 ? &avx512::kTable
                 : nullptr;
#endif
    default:
      return nullptr;
  }
}

const char* NameOf(Cpu cpu) {
  switch (cpu) {
    case Cpu::kAvx2:
      return "avx2";
    case Cpu::kAvx512:
      return "avx512";
    default:
#ifdef __aarch64__
      return "neon";
#else
      return "baseline";
#endif
  }
}

}  // namespace tensorkv
