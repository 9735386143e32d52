#pragma once

#include <cstddef>
#include <span>

namespace tensorkv::cuda {

// The kernels for every GPU, as cuModuleLoadData takes them; empty where there was no nvcc.
std::span<const std::byte> Fatbin();

// What the kernels were made for; versions are such as 13000, architectures such as 90.
struct Targets {
  int toolkit = 0;             // that made them
  int driver = 0;              // the oldest that can load them, by the CUDA that it is for
  int ptx = 0;                 // the architecture of their PTX
  std::span<const int> codes;  // those of their instructions
};

Targets TargetsOfFatbin();

}  // namespace tensorkv::cuda
