#include <cstdint>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

// Codes and values of one length on arrays that end where their memory ends; the two ways agree.
void TestLength(const KernelTable& kernels, const CodecSpec& codec, size_t length) {
  const size_t group = codec.two_bit ? 16 : 32;
  const Array<float> gradient(length, 1, 1);
  Array<float> residual(length, 2, 2), left(length, 3), values(length), decoded(length);
  std::vector<uint8_t> bytes((length + group - 1) / group * 4);
  kernels.quantize(codec, gradient.data(), residual.data(), left.data(), values.data(), length);
  kernels.encode(codec, gradient.data(), residual.data(), bytes.data(), length);
  kernels.decode(codec, bytes.data(), decoded.data(), length);
  for (size_t i = 0; i < length; ++i) {
    CHECK(IsSame(residual[i], left[i]));
    CHECK(IsSame(decoded[i], values[i]));
  }
}

}  // namespace

void TestCompression(const KernelTable& kernels) {
  for (const size_t length : kLengths) {
    TestLength(kernels, {.two_bit = true, .threshold = 0.5f}, length);
    TestLength(kernels, {.two_bit = false, .threshold = 0.0f}, length);
  }
}

}  // namespace tensorkv::test
