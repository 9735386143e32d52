#include <cmath>

#include "run_plan.h"
#include "suites.h"
#include "values.h"

// Arithmetic, gradient compression, rows, and what is found out about tensors.
namespace tensorkv::test {
namespace {

using cuda::Code;
using cuda::Operation;

template <typename T>
T ElementOf(const Elements& elements, size_t i) {
  T value;
  std::memcpy(&value, elements.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void SetElement(Elements& elements, size_t i, T value) {
  std::memcpy(elements.data() + i * sizeof(T), &value, sizeof(T));
}

// What JavaScript makes of a number that is stored in an array of 32-bit integers.
uint32_t ToInt32(double x) {
  if (!std::isfinite(x)) return 0;
  const double rest = std::fmod(std::trunc(x), 4294967296.0);
  return static_cast<uint32_t>(static_cast<int64_t>(rest));
}

template <typename T>
T Rounded(double x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(ToInt32(x));
  } else {
    return static_cast<T>(x);
  }
}

// src/core/elementwise.ts, for one element.
template <typename T>
T Expected(Code code, T x, T y, const cuda::Scalar& scalar) {
  const auto a = static_cast<double>(x), b = static_cast<double>(y);
  const double by = scalar.number;
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    const bool wide = sizeof(T) == 8;
    const bool wraps = wide || std::trunc(by) == by;
    const uint64_t factor = wide ? static_cast<uint64_t>(scalar.bits) : ToInt32(by);
    const auto u = static_cast<uint64_t>(x), v = static_cast<uint64_t>(y);
    if (code == Code::kMultiply) return static_cast<T>(static_cast<U>(u * v));
    if (code == Code::kAddNumber && wide) return static_cast<T>(u + factor);
    if (code == Code::kMultiplyNumber && wraps) return static_cast<T>(static_cast<U>(u * factor));
    if (code == Code::kAddScaled && wraps) return static_cast<T>(static_cast<U>(u + v * factor));
  }
  switch (code) {
    case Code::kAddScaled:
      return Rounded<T>(a + by * b);
    case Code::kMultiply:
      return Rounded<T>(a * b);
    case Code::kAddNumber:
      return Rounded<T>(a + by);
    default:
      return Rounded<T>(a * by);
  }
}

constexpr Code kArithmetic[] = {Code::kAddScaled, Code::kMultiply, Code::kAddNumber,
                                Code::kMultiplyNumber};

template <typename T>
void TestArithmetic(Dtype dtype, size_t length, size_t offset, Random& random) {
  for (const Code code : kArithmetic) {
    for (const double number : {3.0, -2.5, 4294967299.0, 1e200}) {
      Elements x(dtype, length, offset), y(dtype, length, offset), out(dtype, length, offset);
      x.Fill(random);
      y.Fill(random);
      Operation operation = Of(code, dtype, length);
      operation.scalar = {number, -0x123456789abcdef};
      operation.inputs = {x.operand()};
      if (code == Code::kAddScaled || code == Code::kMultiply) {
        operation.inputs.push_back(y.operand());
      }
      Elements expected(dtype, length);
      for (size_t i = 0; i < length; ++i) {
        SetElement(expected, i,
                   Expected(code, ElementOf<T>(x, i), ElementOf<T>(y, i), operation.scalar));
      }
      operation.outs = {out.operand()};
      RunPlan(std::span(&operation, 1));
      CHECK(out.IsSame(expected));
      operation.outs = {x.operand()};
      RunPlan(std::span(&operation, 1));
      CHECK(x.IsSame(expected));
    }
  }
}

// Half types through double: the casts of the CPU widen and narrow.
void TestHalfArithmetic(const KernelTable& kernels, Dtype dtype, size_t length, Random& random) {
  const auto type = static_cast<size_t>(dtype);
  const auto doubles = static_cast<size_t>(Dtype::kFloat64);
  for (const Code code : kArithmetic) {
    Elements x(dtype, length, 1), y(dtype, length, 1), out(dtype, length, 1);
    x.Fill(random);
    y.Fill(random);
    Operation operation = Of(code, dtype, length);
    operation.scalar.number = 0.1;
    operation.inputs = {x.operand(), y.operand()};
    if (code == Code::kAddNumber || code == Code::kMultiplyNumber) operation.inputs.pop_back();
    operation.outs = {out.operand()};
    std::vector<double> a(length), b(length);
    kernels.cast[type][doubles](x.data(), a.data(), length);
    kernels.cast[type][doubles](y.data(), b.data(), length);
    for (size_t i = 0; i < length; ++i) a[i] = Expected(code, a[i], b[i], operation.scalar);
    Elements expected(dtype, length);
    kernels.cast[doubles][type](a.data(), expected.data(), length);
    RunPlan(std::span(&operation, 1));
    CHECK(out.IsSame(expected));
  }
}

void TestCodec(const KernelTable& kernels, const CodecSpec& codec, size_t length, size_t offset,
               Random& random) {
  const size_t group = codec.two_bit ? 16 : 32;
  const size_t bytes = (length + group - 1) / group * 4;
  Elements gradient(Dtype::kFloat32, length, offset), residual(Dtype::kFloat32, length, offset);
  gradient.Fill(random);
  residual.Fill(random);
  Elements left = residual, values(Dtype::kFloat32, length, offset), decoded = values;
  Elements expected_left = residual, expected_values(Dtype::kFloat32, length);
  Elements codes(Dtype::kUint8, bytes, offset), expected_codes(Dtype::kUint8, bytes);
  const auto floats = [](const Elements& each) {
    return reinterpret_cast<float*>(const_cast<uint8_t*>(each.data()));
  };
  kernels.quantize(codec, floats(gradient), floats(residual), floats(expected_left),
                   floats(expected_values), length);
  Elements encoded = residual;
  kernels.encode(codec, floats(gradient), floats(encoded), expected_codes.data(), length);
  Elements unpacked(Dtype::kFloat32, length);
  kernels.decode(codec, expected_codes.data(), floats(unpacked), length);

  Operation quantize = Of(Code::kQuantize, Dtype::kFloat32, length);
  quantize.two_bit = codec.two_bit;
  quantize.threshold = codec.threshold;
  Operation encode = quantize, decode = quantize;
  quantize.inputs = {gradient.operand(), residual.operand()};
  quantize.outs = {left.operand(), values.operand()};
  encode.code = Code::kEncode;
  encode.inputs = {gradient.operand()};
  encode.outs = {residual.operand(), codes.operand()};
  decode.code = Code::kDecode;
  decode.inputs = {codes.operand()};
  decode.outs = {decoded.operand()};
  const Operation all[] = {quantize, encode, decode};
  RunPlan(all);
  CHECK(left.IsSame(expected_left) && residual.IsSame(encoded));
  CHECK(values.IsSame(expected_values));
  CHECK(codes.IsSame(expected_codes));
  CHECK(decoded.IsSame(unpacked));
}

// Rows of three inputs, in any order: some out rows have no piece, others many.
void TestSumRows(const KernelTable& kernels, Dtype dtype, size_t row_length, size_t offset,
                 Random& random) {
  constexpr size_t kRows = 9, kOuts = 40;
  std::vector<Elements> inputs;
  for (size_t k = 0; k < 3; ++k) {
    inputs.emplace_back(dtype, kRows * row_length, offset).Fill(random);
  }
  std::vector<int64_t> starts = {0}, pieces;
  Elements expected(dtype, kOuts * row_length);
  const size_t row_bytes = row_length * ElementBytes(dtype);
  for (size_t i = 0; i < kOuts; ++i) {
    std::vector<const void*> rows;
    for (size_t k = random.Next() % 5; k > 0; --k) {
      const size_t input = random.Next() % 3, row = random.Next() % kRows;
      pieces.push_back(static_cast<int64_t>(input));
      pieces.push_back(static_cast<int64_t>(row));
      rows.push_back(inputs[input].data() + row * row_bytes);
    }
    starts.push_back(static_cast<int64_t>(pieces.size() / 2));
    if (rows.empty() || row_length == 0) continue;
    kernels.reduce_sum[static_cast<size_t>(dtype)](rows.data(), rows.size(),
                                                   expected.data() + i * row_bytes, row_length);
  }
  starts.insert(starts.end(), pieces.begin(), pieces.end());
  Elements out(dtype, kOuts * row_length, offset);
  out.Fill(random);
  Operation sum = Of(Code::kSumRows, dtype, kOuts);
  sum.row_length = row_length;
  for (const Elements& each : inputs) sum.inputs.push_back(each.operand());
  sum.outs = {out.operand()};
  sum.rows = {reinterpret_cast<uint64_t>(starts.data()), starts.size() * sizeof(int64_t)};
  RunPlan(std::span(&sum, 1));
  CHECK(out.IsSame(expected));
}

void TestMoves(const KernelTable& kernels, size_t row_bytes, size_t offset, Random& random) {
  constexpr size_t kRows = 37;
  Elements source(Dtype::kUint8, kRows * row_bytes, offset);
  Elements out(Dtype::kUint8, kRows * row_bytes, offset),
      expected(Dtype::kUint8, kRows * row_bytes);
  source.Fill(random);
  std::vector<int64_t> rows(kRows);
  for (size_t i = 0; i < kRows; ++i) rows[i] = static_cast<int64_t>(i * 5 % kRows);
  std::vector<int64_t> holes = rows;
  holes[3] = holes[20] = -1;
  Operation gather = Of(Code::kGatherRows, Dtype::kUint8, kRows);
  gather.row_length = row_bytes;
  gather.inputs = {source.operand()};
  gather.outs = {out.operand()};
  gather.rows = {reinterpret_cast<uint64_t>(holes.data()), kRows * sizeof(int64_t)};
  kernels.gather_rows(reinterpret_cast<const char*>(source.data()), holes.data(), kRows,
                      reinterpret_cast<char*>(expected.data()), row_bytes);
  RunPlan(std::span(&gather, 1));
  CHECK(out.IsSame(expected));
  Operation scatter = gather;
  scatter.code = Code::kScatterRows;
  scatter.rows.address = reinterpret_cast<uint64_t>(rows.data());
  kernels.scatter_rows(reinterpret_cast<const char*>(source.data()), rows.data(), kRows,
                       reinterpret_cast<char*>(expected.data()), row_bytes);
  RunPlan(std::span(&scatter, 1));
  CHECK(out.IsSame(expected));
}

void TestSquares(const KernelTable& kernels, Dtype dtype, size_t length, Random& random) {
  for (const size_t count : {1, 3}) {
    std::vector<Elements> inputs;
    std::vector<const void*> addresses;
    Operation squares = Of(Code::kSquares, dtype, length);
    for (size_t k = 0; k < count; ++k) {
      inputs.emplace_back(dtype, length, 1).FillTame(random);
      squares.inputs.push_back(inputs.back().operand());
    }
    for (const Elements& each : inputs) addresses.push_back(each.data());
    Elements out(Dtype::kFloat64, 1), expected(Dtype::kFloat64, 1);
    squares.outs = {out.operand()};
    SetElement(expected, 0,
               kernels.squares[static_cast<size_t>(dtype)](addresses.data(), count, length));
    out.Set(0, 77);
    RunPlan(std::span(&squares, 1));
    CHECK(out.IsSame(expected));
  }
}

void TestFinite(const KernelTable& kernels, Dtype dtype, size_t length, Random& random) {
  Elements source(dtype, length, 1), out(Dtype::kInt32, 1);
  for (const bool tame : {true, false}) {
    if (tame) {
      source.FillTame(random);
    } else if (length > 0 && IsFloat(dtype)) {
      // An infinity or a NaN at any place.
      constexpr uint64_t kStrange[4][2] = {{0xff800000, 0x7fc00000},
                                           {0x7ff0000000000000, 0xfff8000000000001},
                                           {0x7c00, 0xfe00},
                                           {0xff80, 0x7fc0}};
      source.Set(random.Next() % length, kStrange[static_cast<size_t>(dtype)][length % 2]);
    }
    Operation finite = Of(Code::kIsFinite, dtype, length);
    finite.inputs = {source.operand()};
    finite.outs = {out.operand()};
    out.Set(0, 77);
    RunPlan(std::span(&finite, 1));
    const bool expected = kernels.is_finite[static_cast<size_t>(dtype)](source.data(), length);
    CHECK(ElementOf<int32_t>(out, 0) == (expected ? 1 : 0));
  }
}

}  // namespace

void TestCudaOthers(const KernelTable& kernels) {
  Random random(3);
  for (const size_t length : {0, 1, 15, 1029, 4100}) {
    for (const size_t offset : {0, 1}) {
      TestArithmetic<float>(Dtype::kFloat32, length, offset, random);
      TestArithmetic<double>(Dtype::kFloat64, length, offset, random);
      TestArithmetic<int8_t>(Dtype::kInt8, length, offset, random);
      TestArithmetic<uint8_t>(Dtype::kUint8, length, offset, random);
      TestArithmetic<int32_t>(Dtype::kInt32, length, offset, random);
      TestArithmetic<int64_t>(Dtype::kInt64, length, offset, random);
      TestCodec(kernels, {.two_bit = true, .threshold = 0.5f}, length, offset, random);
      TestCodec(kernels, {.two_bit = false, .threshold = 0.1f}, length, offset, random);
    }
    TestHalfArithmetic(kernels, Dtype::kFloat16, length, random);
    TestHalfArithmetic(kernels, Dtype::kBfloat16, length, random);
  }
  for (size_t k = 0; k < kDtypeCount; ++k) {
    const auto dtype = static_cast<Dtype>(k);
    for (const size_t row_length : {1, 3, 16, 64, 5000}) {
      for (const size_t offset : {0, 1}) TestSumRows(kernels, dtype, row_length, offset, random);
    }
    for (const size_t length : {0, 1, 511, 513, 9001}) {
      if (IsFloat(dtype)) TestSquares(kernels, dtype, length, random);
      TestFinite(kernels, dtype, length, random);
    }
  }
  for (const size_t row_bytes : {1, 4, 7, 16, 256, 1001, 20000}) {
    for (const size_t offset : {0, 1, 4}) TestMoves(kernels, row_bytes, offset, random);
  }
}

}  // namespace tensorkv::test
