#pragma once

#include "../codecs.h"
#include "lists.cuh"

// Gradient compression, see ../compression.h: a thread makes or reads one byte of codes.
namespace tensorkv::TENSORKV_LEVEL {
namespace {

__device__ inline uint32_t CodeOf(const TwoBit& codec, float r) {
  return r >= codec.t ? 3 : r <= -codec.t ? 2 : 0;
}
__device__ inline uint32_t CodeOf(const OneBit& codec, float r) { return r > codec.t ? 1 : 0; }
__device__ inline float ValueOf(const TwoBit& codec, uint32_t code) {
  return codec.Choose(code == 3, code == 2);
}
__device__ inline float ValueOf(const OneBit&, uint32_t code) { return code != 0 ? 1.0f : -1.0f; }

// Calls body(byte of codes, first element of it) for the bytes of a chunk.
template <typename Codec, typename Body>
__device__ inline void ForEachByte(const Chunk& chunk, Body body) {
  constexpr uint32_t kPerByte = Codec::kElements / 4;
  TENSORKV_ROLLED
  for (uint32_t i = threadIdx.x * kPerByte; i < chunk.length; i += blockDim.x * kPerByte) {
    body((chunk.begin + i) / kPerByte, chunk.begin + i);
  }
}

template <typename Codec>
__device__ inline void EncodeChunk(char* memory, uint64_t table) {
  constexpr uint32_t kPerByte = Codec::kElements / 4, kBits = 8 / kPerByte;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const Codec codec{item.threshold};
  const float* const gradient = lists.Input<float>(0);
  float* const residual = lists.Out<float>(0);
  uint8_t* const codes = lists.Out<uint8_t>(1);
  ForEachByte<Codec>(chunk, [&](uint64_t byte, uint64_t begin) {
    uint32_t bits = 0;
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kPerByte; ++k) {
      bits <<= kBits;
      if (begin + k >= item.length) continue;
      const float r = residual[begin + k] + gradient[begin + k];
      bits |= CodeOf(codec, r);
      residual[begin + k] = r - codec.Value(r);
    }
    codes[byte] = static_cast<uint8_t>(bits);
  });
}

template <typename Codec>
__device__ inline void DecodeChunk(char* memory, uint64_t table) {
  constexpr uint32_t kPerByte = Codec::kElements / 4, kBits = 8 / kPerByte;
  const Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  const Codec codec{item.threshold};
  const uint8_t* const codes = lists.Input<uint8_t>(0);
  float* const out = lists.Out<float>(0);
  ForEachByte<Codec>(chunk, [&](uint64_t byte, uint64_t begin) {
    if (begin >= item.length) return;
    const uint32_t bits = codes[byte];
    Pack<float, kPerByte> values;
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kPerByte; ++k) {
      values.x[k] = ValueOf(codec, bits >> (8 - kBits * (k + 1)) & ((1u << kBits) - 1));
    }
    if (item.wide != 0 && begin + kPerByte <= item.length) {
      Store(out + begin, values);
      return;
    }
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kPerByte; ++k)
      if (begin + k < item.length) out[begin + k] = values.x[k];
  });
}

template <typename Codec>
__device__ inline void QuantizeChunk(char* memory, uint64_t table) {
  Chunk chunk = ChunkOf(memory, table);
  const auto& item = ItemOf<ListItem>(memory, chunk);
  const Lists lists = ListsOf(memory, item);
  // Chunks are as long as whole groups of codes; the last ends behind the array.
  const uint64_t rest = item.length - chunk.begin;
  if (rest < chunk.length) chunk.length = static_cast<uint32_t>(rest);
  const Codec codec{item.threshold};
  const float* const gradient = lists.Input<float>(0);
  const float* const residual = lists.Input<float>(1);
  float* const left = lists.Out<float>(0);
  float* const out = lists.Out<float>(1);
  ForEach<4>(chunk, item.wide != 0, [&](auto width, uint64_t at) {
    constexpr uint32_t kCount = decltype(width)::value;
    const Pack<float, kCount> g = Load<kCount>(gradient + at);
    Pack<float, kCount> r = Load<kCount>(residual + at), values;
    TENSORKV_UNROLLED
    for (uint32_t k = 0; k < kCount; ++k) {
      r.x[k] = r.x[k] + g.x[k];
      values.x[k] = codec.Value(r.x[k]);
      r.x[k] = r.x[k] - values.x[k];
    }
    Store(left + at, r);
    Store(out + at, values);
  });
}

}  // namespace

#define TENSORKV_CODEC_KERNELS(name, Codec)                             \
  TENSORKV_KERNEL(encode_##name) { EncodeChunk<Codec>(memory, table); } \
  TENSORKV_KERNEL(decode_##name) { DecodeChunk<Codec>(memory, table); } \
  TENSORKV_KERNEL(quantize_##name) { QuantizeChunk<Codec>(memory, table); }
TENSORKV_CODEC_KERNELS(2bit, TwoBit)
TENSORKV_CODEC_KERNELS(1bit, OneBit)

}  // namespace tensorkv::TENSORKV_LEVEL
