#pragma once

namespace tensorkv {

// Hyper-parameters of one SGD step. Kernels round each to the dtype before they use it.
struct SgdHyper {
  double lr;
  double momentum;  // not read when there is no momentum tensor
  double wd;
  double rescale;
  double clip;  // >= 0; infinity: gradients are not clipped
};

}  // namespace tensorkv
