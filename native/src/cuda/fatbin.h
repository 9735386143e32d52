#pragma once

#include <cstddef>
#include <span>

namespace tensorkv::cuda {

// The kernels for every GPU, as cuModuleLoadData takes them; empty where there was no nvcc.
std::span<const std::byte> Fatbin();

}  // namespace tensorkv::cuda
