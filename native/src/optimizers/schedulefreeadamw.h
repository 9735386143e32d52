#pragma once

#include "../element.h"

// See src/core/optimizers/schedulefreeadamw.ts.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

template <typename C>
struct ScheduleFreeAdamw {
  static constexpr size_t kSlots = 3;
  C lr, ahead, behind, beta2, rest2, epsilon, decay, share, kept;
  TENSORKV_EACH explicit ScheduleFreeAdamw(const double* h)
      : lr(At<C>(h, 0)),
        ahead(At<C>(h, 1)),
        behind(At<C>(h, 2)),
        beta2(At<C>(h, 3)),
        rest2(At<C>(h, 4)),
        epsilon(At<C>(h, 5)),
        decay(At<C>(h, 6)),
        share(At<C>(h, 7)),
        kept(At<C>(h, 8)) {}
  TENSORKV_EACH C operator()(C w, C g, C* s, size_t) const {
    s[0] = beta2 * s[0] + rest2 * (g * g);
    const C step = lr * g / (Root(s[0]) + epsilon);
    s[1] = s[1] - (step + decay * w);
    s[2] = kept * s[2] + share * s[1];
    return behind * s[1] + ahead * s[2];
  }
};

}  // namespace
}  // namespace tensorkv::TENSORKV_LEVEL
