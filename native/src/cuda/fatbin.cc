#include "fatbin.h"

#include TENSORKV_FATBIN_TARGETS

// build_fatbin.cmake makes both files.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    ".hidden tensorkv_fatbin\n"
    ".globl tensorkv_fatbin\n"
    "tensorkv_fatbin:\n"
    ".incbin \"" TENSORKV_FATBIN
    "\"\n"
    ".hidden tensorkv_fatbin_end\n"
    ".globl tensorkv_fatbin_end\n"
    "tensorkv_fatbin_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" {
extern const std::byte tensorkv_fatbin[];
extern const std::byte tensorkv_fatbin_end[];
}

namespace tensorkv::cuda {

std::span<const std::byte> Fatbin() { return {tensorkv_fatbin, tensorkv_fatbin_end}; }

Targets TargetsOfFatbin() {
  static constexpr int kCodes[] = {TENSORKV_FATBIN_CODES};
  return {TENSORKV_FATBIN_TOOLKIT, TENSORKV_FATBIN_DRIVER, TENSORKV_FATBIN_PTX, kCodes};
}

}  // namespace tensorkv::cuda
