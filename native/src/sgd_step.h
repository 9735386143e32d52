#pragma once

#include <cstddef>

#include "level.h"
#include "sgd_hyper.h"

namespace tensorkv::TENSORKV_LEVEL {

// One step of stochastic gradient descent, as MXNet 2.0's SGD defines it
// (python/mxnet/optimizer/sgd.py), fused with the sum. Per element, every operation rounded to T:
//   g = (inputs[0] + inputs[1] + ...) * rescale
//   g = g < -clip ? -clip : g > clip ? clip : g        (NaN stays NaN)
//   g = g + wd * w                                     only if wd != 0, so that w = inf is kept
//   w = w - lr * g                                     without momentum
//   m = momentum * m - lr * g;  w = w + m              with momentum
// `stored` is w; `momentum` is m or null. Each input is disjoint from both or the same array at the
// same position; `stored` and `momentum` are disjoint.
template <typename T>
void SgdStep(const void* const* inputs, size_t count, void* stored, void* momentum,
             const SgdHyper& hyper, size_t length);

}  // namespace tensorkv::TENSORKV_LEVEL
