#pragma once

#include <cstdint>

namespace tensorkv::cuda {

// Runs a kernel of kernels.cu, compiled for the CPU, on ordinary memory: every block, its threads
// as fibers that meet at barriers and shuffles. False for a name that is no kernel. Ends the
// process with a message at a barrier that not all threads of a block reach. May be called by
// several threads at once.
bool EmulateKernel(const char* name, uint32_t blocks, uint32_t threads, void* memory,
                   uint64_t table_offset);

}  // namespace tensorkv::cuda
