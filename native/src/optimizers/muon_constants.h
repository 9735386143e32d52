#pragma once

namespace tensorkv {

// Of the iteration x = a x + (b s + c s^2) x with s = x x^T.
constexpr double kMuonA = 3.4445, kMuonB = -4.775, kMuonC = 2.0315;

}  // namespace tensorkv
