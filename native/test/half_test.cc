#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "suites.h"

namespace tensorkv::test {
namespace {

// A 16-bit float by its definition; bfloat16 follows the same rules as IEEE 754's binary16.
struct Format {
  Dtype dtype;
  int fraction_bits;
  int largest_exponent;

  int infinity() const { return 0x8000 - (1 << fraction_bits); }

  double Decode(uint16_t bits) const {
    const double sign = bits & 0x8000 ? -1 : 1;
    const int size = bits & 0x7fff;
    if (size > infinity()) return NAN;
    if (size == infinity()) return sign * INFINITY;
    const int biased = size >> fraction_bits;
    const int fraction = size & ((1 << fraction_bits) - 1);
    const int digits = biased == 0 ? fraction : fraction + (1 << fraction_bits);
    const int exponent = (biased == 0 ? 1 : biased) - largest_exponent - fraction_bits;
    return sign * std::ldexp(digits, exponent);
  }

  // To nearest, ties to even: the rounding mode of nearbyint.
  uint16_t Encode(double x) const {
    const int sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return static_cast<uint16_t>(infinity() + 1);
    if (std::isinf(x)) return static_cast<uint16_t>(sign | infinity());
    const int smallest = 1 - largest_exponent;
    const int own = x == 0 ? smallest : std::ilogb(x);
    const int exponent = own < smallest ? smallest : own;
    const double digits = std::nearbyint(std::ldexp(std::fabs(x), fraction_bits - exponent));
    // A subnormal has no leading digit; one that gains it, or one too many, moves to the next
    // exponent by itself.
    const double bits = std::ldexp(exponent - smallest, fraction_bits) + digits;
    return static_cast<uint16_t>(sign | (bits < infinity() ? static_cast<int>(bits) : infinity()));
  }
};

constexpr Format kFormats[] = {{Dtype::kFloat16, 10, 15}, {Dtype::kBfloat16, 7, 127}};

// Vector loops of up to 16 elements, twice, each followed by every possible tail.
constexpr size_t kMaxTail = 33;

KernelTable::Cast CastOf(const KernelTable& kernels, Dtype from, Dtype to) {
  return kernels.cast[static_cast<size_t>(from)][static_cast<size_t>(to)];
}

// Casts `source` whole and in pieces of every length, so that each element is also one of a tail.
// Calls check(index, result) for each result.
template <typename From, typename To, typename Check>
void CastInPieces(KernelTable::Cast cast, const std::vector<From>& source, Check check) {
  for (size_t piece = 0; piece <= kMaxTail; ++piece) {
    const size_t most = piece == 0 ? source.size() : piece;
    for (size_t begin = 0; begin < source.size(); begin += most) {
      const size_t length = source.size() - begin < most ? source.size() - begin : most;
      Array<From> from(length);
      for (size_t i = 0; i < length; ++i) from[i] = source[begin + i];
      Array<To> to(length);
      cast(from.data(), to.data(), length);
      for (size_t i = 0; i < length; ++i) check(begin + i, to[i]);
    }
  }
}

std::vector<uint16_t> AllBits() {
  std::vector<uint16_t> bits(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  return bits;
}

// Every pattern becomes the number that it stands for.
template <typename To>
void TestWiden(const KernelTable& kernels, const Format& format, Dtype to) {
  const std::vector<uint16_t> source = AllBits();
  CastInPieces<uint16_t, To>(CastOf(kernels, format.dtype, to), source, [&](size_t i, To x) {
    CHECK(IsSame(x, static_cast<To>(format.Decode(source[i]))));
  });
}

template <typename From>
void TestNarrow(const KernelTable& kernels, const Format& format, Dtype from,
                const std::vector<From>& source) {
  CastInPieces<From, uint16_t>(CastOf(kernels, from, format.dtype), source,
                               [&](size_t i, uint16_t bits) {
                                 if (std::isnan(source[i])) {
                                   CHECK(std::isnan(format.Decode(bits)));
                                 } else {
                                   CHECK(bits == format.Encode(source[i]));
                                 }
                               });
}

// Mantissas that end just below, at and just above each place where a format could round, after an
// even and an odd digit; those with an exponent of all ones are infinity and NaNs of both kinds.
std::vector<float> EveryExponent() {
  std::vector<uint32_t> mantissas = {0, 0x7fffff, 0x7ffffe, 0x555555, 0x2aaaaa};
  for (int place = 0; place < 23; ++place) {
    for (const uint32_t before : {1u, 3u, 0x7fffffu}) {
      const uint32_t tie = (before << place) & 0x7fffff;
      for (const uint32_t mantissa : {tie - 1, tie, tie + 1}) {
        if (mantissa < 0x800000) mantissas.push_back(mantissa);
      }
    }
  }
  std::vector<float> numbers;
  for (uint32_t exponent = 0; exponent < 512; ++exponent) {  // With the sign.
    for (const uint32_t mantissa : mantissas) {
      const uint32_t bits = exponent << 23 | mantissa;
      float x;
      std::memcpy(&x, &bits, sizeof x);
      numbers.push_back(x);
    }
  }
  return numbers;
}

// The numbers of a format, the ties between neighbours, and the doubles next to both, which a
// rounding by way of float would lose.
std::vector<double> AroundTies(const Format& format) {
  std::vector<double> numbers;
  for (int bits = 0; bits < format.infinity(); ++bits) {
    const double x = format.Decode(static_cast<uint16_t>(bits));
    const bool last = bits + 1 == format.infinity();
    const double next = last ? std::ldexp(1, format.largest_exponent + 1)
                             : format.Decode(static_cast<uint16_t>(bits + 1));
    for (const double each : {x, (x + next) / 2}) {
      for (const double y : {std::nextafter(each, 0.0), each, std::nextafter(each, INFINITY)}) {
        numbers.push_back(bits % 2 == 0 ? y : -y);
        // Both signs where it is cheap: at the ends, where formats differ most.
        if (bits < 8 || last) numbers.push_back(bits % 2 == 0 ? -y : y);
      }
    }
  }
  return numbers;
}

// Encoded patterns whose sums need the digits and the range of a float.
std::vector<Array<uint16_t>> Summands(const Format& format, size_t length, size_t count) {
  std::vector<Array<uint16_t>> inputs;
  for (size_t k = 0; k < count; ++k) {
    Array<uint16_t> input(length, k % 4, static_cast<uint32_t>(k + 1));
    for (size_t i = 0; i < length; ++i) {
      // A large number, then small ones that a sum in the format itself would drop one by one.
      if (i % 3 == 0) input[i] = format.Encode(k == 0 ? 2048 : 1);
      // The largest twice, less one of them: infinite in the format itself.
      if (i % 3 == 1) input[i] = static_cast<uint16_t>((format.infinity() - 1) | (k == 2) << 15);
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

void TestSum(const KernelTable& kernels, const Format& format, size_t length, size_t count) {
  const std::vector<Array<uint16_t>> arrays = Summands(format, length, count);
  std::vector<const void*> inputs;
  for (const auto& array : arrays) inputs.push_back(array.data());
  Array<uint16_t> out(length, 1);
  kernels.reduce_sum[static_cast<size_t>(format.dtype)](inputs.data(), count, out.data(), length);
  for (size_t i = 0; i < length; ++i) {
    float sum = static_cast<float>(format.Decode(arrays[0][i]));
    for (size_t k = 1; k < count; ++k) sum += static_cast<float>(format.Decode(arrays[k][i]));
    if (std::isnan(sum)) {
      CHECK(std::isnan(format.Decode(out[i])));
    } else {
      CHECK(out[i] == format.Encode(sum));
    }
  }
}

}  // namespace

void TestHalf(const KernelTable& kernels) {
  const std::vector<float> floats = EveryExponent();
  for (const Format& format : kFormats) {
    TestWiden<float>(kernels, format, Dtype::kFloat32);
    TestWiden<double>(kernels, format, Dtype::kFloat64);
    TestNarrow(kernels, format, Dtype::kFloat32, floats);
    TestNarrow(kernels, format, Dtype::kFloat64, AroundTies(format));
    for (const size_t length : kLengths)
      for (const size_t count : {1, 2, 3, 5, 8, 9, 33}) TestSum(kernels, format, length, count);
  }
}

}  // namespace tensorkv::test
