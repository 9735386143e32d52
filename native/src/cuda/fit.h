#pragma once

#include <string>

#include "fatbin.h"

namespace tensorkv::cuda {

// Such as "13.0" of 13000.
std::string VersionText(int version);

// Why a device cannot run kernels that were made for `targets`, one sentence; empty where it can.
// `driver`: the CUDA that the driver is for, such as 13000. `capability`: such as 90.
std::string UnfitReason(const Targets& targets, int driver, int device, int capability);

}  // namespace tensorkv::cuda
