#pragma once

#include <memory>

#include "../engine/remote.h"

namespace tensorkv::cuda {

// Queues the rounds of an engine's keys that live on CUDA devices, on a stream of its own for each.
std::unique_ptr<engine::Remote> MakeRemote();

}  // namespace tensorkv::cuda
