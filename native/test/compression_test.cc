#include <cstdint>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

struct Step {
  uint8_t code;
  float value, left;
};

// The formulas of compression.h, one element.
Step Expected(const CodecSpec& codec, float r) {
  const float t = codec.threshold;
  if (!codec.two_bit) return r > t ? Step{1, 1, r - 1} : Step{0, -1, r + 1};
  if (r >= t) return {3, t, r - t};
  if (r <= -t) return {2, -t, r + t};
  return {0, 0, r};
}

// Every third sum lies on a threshold or beside it.
void PlaceEdges(const CodecSpec& codec, Array<float>& gradient, Array<float>& residual) {
  const float t = codec.threshold;
  const float edges[] = {t, -t, std::nextafter(t, 9.0f), std::nextafter(t, -9.0f), 0.0f, -0.0f};
  for (size_t i = 0; i < gradient.size(); i += 3) {
    gradient[i] = edges[i / 3 % 6];
    residual[i] = i % 2 == 0 ? 0.0f : -0.0f;
  }
}

// On arrays that end where their memory ends.
void TestLength(const KernelTable& kernels, const CodecSpec& codec, size_t length) {
  const size_t per_byte = codec.two_bit ? 4 : 8;
  const size_t bits = 8 / per_byte;
  Array<float> gradient(length, 1, 1), residual(length, 2, 2);
  PlaceEdges(codec, gradient, residual);
  Array<float> left(length, 3), values(length), decoded(length);
  std::vector<float> expected_left(length), expected_values(length);
  std::vector<uint8_t> expected_bytes((length + 4 * per_byte - 1) / (4 * per_byte) * 4);
  for (size_t i = 0; i < length; ++i) {
    const Step step = Expected(codec, residual[i] + gradient[i]);
    expected_left[i] = step.left;
    expected_values[i] = step.value;
    const size_t place = i % per_byte;
    expected_bytes[i / per_byte] |= static_cast<uint8_t>(step.code << (8 - bits * (place + 1)));
  }
  Array<uint8_t> bytes(expected_bytes.size(), 1);
  kernels.quantize(codec, gradient.data(), residual.data(), left.data(), values.data(), length);
  kernels.encode(codec, gradient.data(), residual.data(), bytes.data(), length);
  kernels.decode(codec, bytes.data(), decoded.data(), length);
  CHECK(AreSame(bytes, expected_bytes));
  CHECK(AreSame(residual, expected_left));
  CHECK(AreSame(left, expected_left));
  CHECK(AreSame(values, expected_values));
  CHECK(AreSame(decoded, expected_values));
}

}  // namespace

void TestCompression(const KernelTable& kernels) {
  for (const size_t length : kLengths) {
    TestLength(kernels, {.two_bit = true, .threshold = 0.5f}, length);
    TestLength(kernels, {.two_bit = true, .threshold = 0.1f}, length);
    TestLength(kernels, {.two_bit = false, .threshold = 0.0f}, length);
    TestLength(kernels, {.two_bit = false, .threshold = -0.3f}, length);
  }
}

}  // namespace tensorkv::test
