#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tensorkv::cuda {

// What is thrown, by the codes of src/core/errors.ts.
enum class FailureCode : uint8_t { kUnavailable, kMemoryLimit, kPeerDead, kBadArgument };

class Failure : public std::runtime_error {
 public:
  Failure(FailureCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  FailureCode code() const { return code_; }
  const char* name() const {
    switch (code_) {
      case FailureCode::kUnavailable:
        return "cuda_unavailable";
      case FailureCode::kMemoryLimit:
        return "memory_limit";
      case FailureCode::kPeerDead:
        return "peer_dead";
      default:
        return "bad_argument";
    }
  }

 private:
  FailureCode code_;
};

// What a caller has got wrong.
inline void Expect(bool holds, const char* otherwise) {
  if (!holds) throw Failure(FailureCode::kBadArgument, otherwise);
}

}  // namespace tensorkv::cuda
