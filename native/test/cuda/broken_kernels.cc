#include "shim.h"

// Kernels with known faults: the emulator has to find them.
#undef TENSORKV_KERNEL
#define TENSORKV_KERNEL(name) TENSORKV_DEFINED_KERNEL(name, false)

TENSORKV_MEETING_KERNEL(broken_divergent) {
  // The last thread does not come.
  if (threadIdx.x + 1 < blockDim.x) __syncthreads();
  memory[0] = 1;
}

TENSORKV_MEETING_KERNEL(broken_two_places) {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    memory[0] = 1;
    __syncthreads();
  }
}

TENSORKV_MEETING_KERNEL(broken_shuffle) {
  if (threadIdx.x != 5) memory[0] = static_cast<char>(__shfl_sync(0xffffffffu, 1, 0));
}

TENSORKV_KERNEL(broken_unaligned) { CheckAligned(memory + 4, 16); }

TENSORKV_KERNEL(broken_meeting) {
  __syncthreads();
  memory[0] = 1;
}

// A right one: each thread takes from its neighbour, through memory and through a shuffle.
TENSORKV_MEETING_KERNEL(sound_neighbours) {
  __shared__ uint32_t values[256];
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const uint32_t next = values[(threadIdx.x + 1) % blockDim.x];
  const uint32_t same = __shfl_sync(0xffffffffu, next, (threadIdx.x + 31) % 32);
  reinterpret_cast<uint32_t*>(memory)[blockIdx.x * blockDim.x + threadIdx.x] = same;
}
