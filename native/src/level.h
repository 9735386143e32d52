#pragma once

// Kernel files are compiled once per instruction set ("level"), each time with TENSORKV_LEVEL set
// to the namespace that holds the copy: baseline, avx2 or avx512.
//
// Rule for these files: call no inline function or template of another header (std::min, std::span
// members, ...). Such a function has one name in all copies, so the linker could keep the AVX-512
// one for a machine that has none. check_symbols.cmake fails the build when one slips in.
#ifndef TENSORKV_LEVEL
#error "Compile kernel files through the level libraries of CMakeLists.txt"
#endif

// Iterations of the next loop may run side by side: arrays are either disjoint or the same array at
// the same position, never shifted. Unlike __restrict this allows in-place calls, and it spares the
// run-time overlap checks that would send them down a scalar loop.
#if defined(__CUDACC__)
#define TENSORKV_INDEPENDENT
#elif defined(__clang__)
#define TENSORKV_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define TENSORKV_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Before a function of one element: the kernels of CUDA devices call it too.
#if defined(__CUDACC__)
#define TENSORKV_EACH __host__ __device__
#else
#define TENSORKV_EACH
#endif
