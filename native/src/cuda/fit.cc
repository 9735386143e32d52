#include "fit.h"

#include <algorithm>

namespace tensorkv::cuda {
namespace {

std::string CapabilityText(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

std::string Needs(int driver, int least) {
  return "the NVIDIA driver is too old: it is for CUDA " + VersionText(driver) + ", and needs " +
         VersionText(least) + " or newer for ";
}

}  // namespace

std::string VersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string UnfitReason(const Targets& targets, int driver, int device, int capability) {
  if (driver < targets.driver) {
    return Needs(driver, targets.driver) + "the kernels of this build";
  }
  // Instructions run on their architecture, and on those of the same major number that came later.
  const bool has_code = std::ranges::any_of(targets.codes, [capability](int code) {
    return code / 10 == capability / 10 && code <= capability;
  });
  if (has_code) return "";
  const std::string who =
      "cuda(" + std::to_string(device) + ") of compute capability " + CapabilityText(capability);
  if (capability < targets.ptx) {
    return who + " is too old: the kernels of this build are for " + CapabilityText(targets.ptx) +
           " and newer";
  }
  // The driver translates PTX, of no toolkit that is newer than it.
  return driver >= targets.toolkit ? "" : Needs(driver, targets.toolkit) + who;
}

}  // namespace tensorkv::cuda
