// matmul_lookup: weights of few bits as bit planes; four bits of a plane choose a sum of four activations from a table.
// After T-MAC (Wei et al., EuroSys 2025, arXiv 2407.00088), with exact sums of int8 activations: the low bytes of the sums
// make the tables, and the few sums above 255 are looked up once more. So the integers are those of matmul_quant.
//
// A code u of n bits stands for scale * (u - zero), a scale for every 256 codes of a row. With e the entries of a table,
//   sum_k u_k q_k = sum_b 2^b sum_groups e + (2^n - 1) * (the sum of the negative q),
// and zero * (the sum of q) is taken off. Then one fused multiply-add a block, in the order of quant_scalar.cpp.
//
// Packed: tiles of 32 rows (the last filled with zeros), in each the blocks of 256 inputs one after the other:
//   fp16 scale[32], then for each pair of groups of four inputs one vector of 32 bytes a plane; in a byte the low half
//   is the index of the even group and the high half that of the odd one.
// Planes 0 and 1, 2 and 3 lie together: vector v of the two has rows 16 v + i in bytes 2 i (lower plane) and 2 i + 1.
// A last plane alone has row i in byte 2 i and row 16 + i in byte 2 i + 1.
#pragma once

#include <cstdint>

#include "kernels/activation.hpp"
#include "kernels/quant_kernels.hpp"

namespace netwright {

inline constexpr std::int64_t kLookupRows = 32;
inline constexpr std::int64_t kLookupBlock = 256;
inline constexpr int kMostLookupBits = 4;

// Where the four bits of a plane, a row and a pair of groups lie: a byte of the block's vectors.
constexpr int lookup_byte(int bits, int pair, int plane, int row) {
  const int lone = bits % 2 == 1 && plane == bits - 1;
  const int vector = lone ? plane : plane / 2 * 2 + row / 16;
  const int byte = lone ? row % 16 * 2 + row / 16 : row % 16 * 2 + plane % 2;
  return (pair * bits + vector) * 32 + byte;
}

constexpr std::int64_t lookup_block_bytes(int bits) { return 2 * kLookupRows + kLookupRows * kLookupBlock / 8 * bits; }
constexpr std::int64_t lookup_bytes(std::int64_t outputs, std::int64_t inputs, int bits) {
  return (outputs + kLookupRows - 1) / kLookupRows * (inputs / kLookupBlock) * lookup_block_bytes(bits);
}

struct LookupProduct {
  QuantProduct plain;  // `weight` and `x` packed as above
  int bits;
  std::int32_t zero;

  // What is added to the sum of a block's entries.
  std::int32_t offset(const ActivationTables& x, std::int64_t block) const {
    return ((1 << bits) - 1) * x.base[block] - zero * x.sum[block];
  }
};

// The bytes that matmul_lookup reads for codes of two bits, from `outputs` rows of tq2_0 or tq1_0: zero is 1.
void pack_lookup(Format format, const std::uint8_t* weight, std::int64_t outputs, std::int64_t inputs, std::uint8_t* packed);

// `rows` computes outputs [begin, end), begin a multiple of kLookupRows.
using LookupRows = void (*)(const LookupProduct&, std::int64_t begin, std::int64_t end);
void lookup_multiply(const Call& call, LookupRows rows, QuantLoop function);
// Writes one tile's sums of one token, bias and residual included.
void lookup_put(const QuantProduct& product, std::int64_t token, std::int64_t begin, std::int64_t end, const float* sum);

}  // namespace netwright
