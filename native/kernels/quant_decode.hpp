// Every GGUF block format in plain integers: what the fast kernels must agree with, bit for bit.
// Layouts: ggml-common.h and dequantize_row_* of https://github.com/ggml-org/llama.cpp (MIT).
#pragma once

#include <cstdint>

#include "kernels/quant_half.hpp"
#include "vm/opcode.hpp"

namespace netwright {

// One block: element i is scale * sub[i/16] * q[i] - (minimum * offset[i/16]), in 256-element formats;
// scale * q[i] + minimum in 32-element ones (sub and offset unused).
struct DecodedBlock {
  std::int16_t q[256];
  std::int32_t sub[16];
  std::int32_t offset[16];
  float scale;
  float minimum;
};

namespace decode {

inline void nibbles(const std::uint8_t* from, int zero, DecodedBlock& block) {
  for (int i = 0; i < 16; ++i) {
    block.q[i] = static_cast<std::int16_t>((from[i] & 15) - zero);
    block.q[i + 16] = static_cast<std::int16_t>((from[i] >> 4) - zero);
  }
}

inline void fifth_bits(const std::uint8_t* from, DecodedBlock& block) {
  for (int i = 0; i < 32; ++i) block.q[i] = static_cast<std::int16_t>(block.q[i] + (from[i / 8] >> i % 8 & 1) * 16);
}

inline void q4_0(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  nibbles(from + 2, 8, block);
}

inline void q4_1(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  block.minimum = half_to_float(load_u16(from + 2));
  nibbles(from + 4, 0, block);
}

inline void q5_0(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  nibbles(from + 6, 16, block);
  fifth_bits(from + 2, block);
}

inline void q5_1(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  block.minimum = half_to_float(load_u16(from + 2));
  nibbles(from + 8, 0, block);
  fifth_bits(from + 4, block);
}

inline void q8_0(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  for (int i = 0; i < 32; ++i) block.q[i] = static_cast<std::int8_t>(from[i + 2]);
}

inline void q2_k(const std::uint8_t* from, DecodedBlock& block) {
  for (int i = 0; i < 16; ++i) {
    block.sub[i] = from[i] & 15;
    block.offset[i] = from[i] >> 4;
  }
  for (int i = 0; i < 256; ++i)
    block.q[i] = from[16 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
  block.scale = half_to_float(load_u16(from + 80));
  block.minimum = half_to_float(load_u16(from + 82));
}

inline void q3_k(const std::uint8_t* from, DecodedBlock& block) {
  const std::uint8_t* scales = from + 96;
  for (int i = 0; i < 16; ++i) {
    const int low = scales[i % 8] >> i / 8 * 4 & 15;
    block.sub[i] = (low | (scales[8 + i % 4] >> i / 4 * 2 & 3) << 4) - 32;
  }
  for (int i = 0; i < 256; ++i) {
    const int low = from[32 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
    block.q[i] = static_cast<std::int16_t>(low + (from[i % 32] >> i / 32 & 1) * 4 - 4);
  }
  block.scale = half_to_float(load_u16(from + 108));
}

// The 6-bit scales and minimums of q4_k and q5_k: eight of each in twelve bytes.
inline void six_bit_pairs(const std::uint8_t* from, DecodedBlock& block) {
  for (int i = 0; i < 8; ++i) {
    const int sub = i < 4 ? from[i] & 63 : (from[i + 4] & 15) | from[i - 4] >> 6 << 4;
    const int offset = i < 4 ? from[i + 4] & 63 : from[i + 4] >> 4 | from[i] >> 6 << 4;
    block.sub[2 * i] = block.sub[2 * i + 1] = sub;
    block.offset[2 * i] = block.offset[2 * i + 1] = offset;
  }
}

inline void q4_k(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  block.minimum = half_to_float(load_u16(from + 2));
  six_bit_pairs(from + 4, block);
  for (int i = 0; i < 256; ++i) block.q[i] = from[16 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15;
}

inline void q5_k(const std::uint8_t* from, DecodedBlock& block) {
  block.scale = half_to_float(load_u16(from));
  block.minimum = half_to_float(load_u16(from + 2));
  six_bit_pairs(from + 4, block);
  for (int i = 0; i < 256; ++i) {
    const int low = from[48 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15;
    block.q[i] = static_cast<std::int16_t>(low + (from[16 + i % 32] >> i / 32 & 1) * 16);
  }
}

inline void q6_k(const std::uint8_t* from, DecodedBlock& block) {
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int quarter = i / 32 % 4;
    const int low = from[half * 64 + quarter % 2 * 32 + i % 32] >> quarter / 2 * 4 & 15;
    const int high = from[128 + half * 32 + i % 32] >> quarter * 2 & 3;
    block.q[i] = static_cast<std::int16_t>((low | high << 4) - 32);
  }
  for (int i = 0; i < 16; ++i) block.sub[i] = static_cast<std::int8_t>(from[192 + i]);
  block.scale = half_to_float(load_u16(from + 208));
}

// Five base-3 digits a byte, most significant first: the byte is ceil(value * 256 / 243).
inline void tq1_0(const std::uint8_t* from, DecodedBlock& block) {
  constexpr std::uint8_t kPower[5] = {1, 3, 9, 27, 81};
  for (int i = 0; i < 256; ++i) {
    const int byte = i < 160 ? i % 32 : i < 240 ? 32 + i % 16 : 48 + i % 4;
    const int digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
    const auto left = static_cast<std::uint8_t>(from[byte] * kPower[digit]);
    block.q[i] = static_cast<std::int16_t>((left * 3 >> 8) - 1);
  }
  for (auto& each : block.sub) each = 1;
  block.scale = half_to_float(load_u16(from + 52));
}

inline void tq2_0(const std::uint8_t* from, DecodedBlock& block) {
  for (int i = 0; i < 256; ++i)
    block.q[i] = static_cast<std::int16_t>((from[i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3) - 1);
  for (auto& each : block.sub) each = 1;
  block.scale = half_to_float(load_u16(from + 64));
}

}  // namespace decode

using DecodeBlock = void (*)(const std::uint8_t*, DecodedBlock&);

// nullptr for a format that has no blocks.
inline DecodeBlock block_decoder(Format format) {
  switch (format) {
    case Format::q4_0: return decode::q4_0;
    case Format::q4_1: return decode::q4_1;
    case Format::q5_0: return decode::q5_0;
    case Format::q5_1: return decode::q5_1;
    case Format::q8_0: return decode::q8_0;
    case Format::q2_k: return decode::q2_k;
    case Format::q3_k: return decode::q3_k;
    case Format::q4_k: return decode::q4_k;
    case Format::q5_k: return decode::q5_k;
    case Format::q6_k: return decode::q6_k;
    case Format::tq1_0: return decode::tq1_0;
    case Format::tq2_0: return decode::tq2_0;
    default: return nullptr;
  }
}

// Formats whose minimum is a term of its own, not folded into the integers.
constexpr bool has_minimum(Format format) {
  return format == Format::q4_1 || format == Format::q5_1 || format == Format::q2_k || format == Format::q4_k ||
         format == Format::q5_k;
}

}  // namespace netwright
