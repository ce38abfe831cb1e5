// matmul_lookup: weights of few bits as bit planes; four bits of a plane choose a sum of four activations from a table.
// After T-MAC (Wei et al., EuroSys 2025, arXiv 2407.00088), with entries as large as a byte holds and exact sums of them.
//
// A code u of n bits stands for scale * (u - zero), a scale for every 256 codes of a row. With signs s = 2 bit - 1
//   sum_k u_k x_k = 1/2 sum_b 2^b sum_k s_bk x_k + (2^n - 1)/2 sum_k x_k,
// and the inner sums are looked up four k at a time.
//
// Packed: tiles of 32 rows (the last filled with zeros), in each the blocks of 256 inputs one after the other:
//   fp16 scale[32], then for each pair of groups of four inputs one vector of 32 bytes a plane; in a byte the low half
//   is the index of the even group and the high half that of the odd one.
// Planes 0 and 1, 2 and 3 lie together: vector v of the two has rows 16 v + i in bytes 2 i (lower plane) and 2 i + 1.
// A last plane alone has row i in byte 2 i and row 16 + i in byte 2 i + 1.
#pragma once

#include <cstdint>

#include "kernels/quant_kernels.hpp"

namespace netwright {

inline constexpr std::int64_t kLookupRows = 32;
inline constexpr std::int64_t kLookupBlock = 256;
inline constexpr int kMostLookupBits = 4;

constexpr std::int64_t lookup_block_bytes(int bits) { return 2 * kLookupRows + kLookupRows * kLookupBlock / 8 * bits; }
constexpr std::int64_t lookup_bytes(std::int64_t outputs, std::int64_t inputs, int bits) {
  return (outputs + kLookupRows - 1) / kLookupRows * (inputs / kLookupBlock) * lookup_block_bytes(bits);
}

struct LookupProduct {
  QuantProduct plain;  // `weight` and `x` packed as above
  int bits;
  float offset;  // (2^n - 1)/2 - zero
};

// `rows` computes outputs [begin, end), begin a multiple of kLookupRows.
using LookupRows = void (*)(const LookupProduct&, std::int64_t begin, std::int64_t end);
void lookup_multiply(const Call& call, LookupRows rows, QuantLoop function);
// Writes one tile's sums of one token, bias and residual included.
void lookup_put(const QuantProduct& product, std::int64_t token, std::int64_t begin, std::int64_t end, const float* sum);

}  // namespace netwright
