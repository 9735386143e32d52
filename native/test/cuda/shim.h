#pragma once

// kernels.cu as plain C++: what of CUDA it uses, for emulator.cc to run. Included before it.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __host__
#define __device__
// Blocks of one thread of the CPU run one after the other.
#define __shared__ static thread_local

namespace tensorkv::cuda::emulator {

struct Index {
  uint32_t x;
};

// Which thread of which block runs.
inline thread_local Index thread_index, block_index, block_size;

using Kernel = void (*)(char* memory, unsigned long long table);

// Makes a kernel known by its name. `meets`: it has barriers or shuffles.
struct Registration {
  Registration(const char* name, Kernel kernel, bool meets);
};

// Returns when every thread of the block is at the barrier of this place.
void MeetBlock(const char* file, int line);

// Gives each thread of a warp the 8 bytes that thread `from` of it brought.
uint64_t Exchange(uint64_t mine, uint32_t from);

// Ends the process where a vector would not be aligned.
void RequireAligned(const void* address, size_t alignment);

template <typename T>
T Shuffle(T value, uint32_t from) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = Exchange(bits, from);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace tensorkv::cuda::emulator

#define threadIdx (::tensorkv::cuda::emulator::thread_index)
#define blockIdx (::tensorkv::cuda::emulator::block_index)
#define blockDim (::tensorkv::cuda::emulator::block_size)
#define __syncthreads() ::tensorkv::cuda::emulator::MeetBlock(__FILE__, __LINE__)
#define __shfl_sync(mask, value, from) ::tensorkv::cuda::emulator::Shuffle(value, from)
#define CheckAligned(address, alignment) \
  ::tensorkv::cuda::emulator::RequireAligned(address, alignment)

#define TENSORKV_DEFINED_KERNEL(name, meets)                                                   \
  void tensorkv_##name(char* memory, unsigned long long table);                                \
  const ::tensorkv::cuda::emulator::Registration registration_##name("tensorkv_" #name,        \
                                                                     &tensorkv_##name, meets); \
  void tensorkv_##name(char* memory, [[maybe_unused]] unsigned long long table)
#define TENSORKV_KERNEL(name) TENSORKV_DEFINED_KERNEL(name, false)
#define TENSORKV_MEETING_KERNEL(name) TENSORKV_DEFINED_KERNEL(name, true)
