// Rows of int8 activations: what quantize_rows, rms_norm and glu write and matmul_quant reads.
//
// act8x32, K a multiple of 32, B = K / 32 blocks, one row:
//   int8  q[K]          x ~ scale * q
//   fp32  scale[B]      amax / 127, rounded to fp16 and widened again (as ggml's q8_0 and q8_1)
//   int32 sum[B]        sum(q): for formats with a fixed zero point (q4_0, q5_0)
//   fp32  minimum[B]    amax / 127 * sum(q) rounded to fp16 (ggml's q8_1 s): for q4_1, q5_1
// act8x256, K a multiple of 256, B = K / 256, one row:
//   int8  q[K]          x ~ scale * q
//   int16 sum[K / 16]   sums of 16 neighbours (ggml's q8_K bsums)
//   fp32  scale[B]      signed: the element of largest magnitude becomes -127
// lut4x256, K a multiple of 256, B = K / 256, G = K / 4 groups, one row: what matmul_lookup reads, from the q of act8x256
//   uint8  entry[G][16]  entry i of a group: the low byte of the sum of those of its four q whose bit of i is set, less
//                        the sum of the negative ones of the four: from 0 to 512
//   uint16 high[G]       bit i: that number is above 255
//   uint32 wide[B]       bit p: one of groups 2p and 2p + 1 of the block has a bit in `high`
//   fp32   scale[B]      as in act8x256
//   int32  base[B]       the sum of the block's negative q
//   int32  sum[B]        of all its q
// Every array starts at a multiple of its element size. 44 bytes for each 32, 292 and 1168 for each 256,
// no padding.
#pragma once

#include <cstdint>

#include "vm/opcode.hpp"

namespace netwright {

inline constexpr std::int64_t kTableBlockBytes = 1024 + 128 + 4 * 4;

// Bytes of one row of `k` elements; -1 for another format or a `k` that is no whole number of blocks.
constexpr std::int64_t activation_row_bytes(Format format, std::int64_t k) {
  if (k < 0) return -1;
  if (format == Format::act8x32 && k % 32 == 0) return k / 32 * 44;
  if (format == Format::act8x256 && k % 256 == 0) return k / 256 * 292;
  if (format == Format::lut4x256 && k % 256 == 0) return k / 256 * kTableBlockBytes;
  return -1;
}

// One act8x32 row, taken apart.
struct Activation32 {
  const std::int8_t* q;
  const float* scale;
  const std::int32_t* sum;
  const float* minimum;

  Activation32(const std::byte* row, std::int64_t k)
      : q(reinterpret_cast<const std::int8_t*>(row)),
        scale(reinterpret_cast<const float*>(row + k)),
        sum(reinterpret_cast<const std::int32_t*>(scale + k / 32)),
        minimum(scale + k / 32 * 2) {}
};

// One act8x256 row, taken apart.
struct Activation256 {
  const std::int8_t* q;
  const std::int16_t* sum;
  const float* scale;

  Activation256(const std::byte* row, std::int64_t k)
      : q(reinterpret_cast<const std::int8_t*>(row)),
        sum(reinterpret_cast<const std::int16_t*>(row + k)),
        scale(reinterpret_cast<const float*>(row + k + k / 16 * 2)) {}
};

// One lut4x256 row, taken apart.
struct ActivationTables {
  const std::uint8_t* entry;
  const std::uint16_t* high;
  const std::uint32_t* wide;
  const float* scale;
  const std::int32_t* base;
  const std::int32_t* sum;

  ActivationTables(const std::byte* row, std::int64_t k)
      : entry(reinterpret_cast<const std::uint8_t*>(row)),
        high(reinterpret_cast<const std::uint16_t*>(row + k * 4)),
        wide(reinterpret_cast<const std::uint32_t*>(high + k / 4)),
        scale(reinterpret_cast<const float*>(wide + k / 256)),
        base(reinterpret_cast<const std::int32_t*>(scale + k / 256)),
        sum(base + k / 256) {}
};

}  // namespace netwright
