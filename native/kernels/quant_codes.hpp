// matmul_codes: codes of two bits times codes of two bits; all sixteen products lie in a table, whatever the codes mean.
// After DeepGEMM (Ganji et al., arXiv 2304.09049), with weights unpacked once for four tokens and exact sums.
//
//   out[t, n] = f(scale[n] * sum_k table[4 weight[n, k] + x[t, k]] + bias[n])
//
// Packed: row after row, in each the blocks of 128 inputs (the last filled with code 0), 32 bytes a block: byte i has
// the codes of inputs i, 32 + i, 64 + i and 96 + i from its lowest bits up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/quant_kernels.hpp"

namespace netwright {

inline constexpr std::int64_t kCodesBlock = 128;
inline constexpr std::int64_t kCodesBlockBytes = 32;
inline constexpr std::int64_t kCodesTokens = 4;  // that meet a weight while it is unpacked

constexpr std::int64_t codes_blocks(std::int64_t inputs) { return (inputs + kCodesBlock - 1) / kCodesBlock; }
constexpr std::int64_t codes_row_bytes(std::int64_t inputs) { return codes_blocks(inputs) * kCodesBlockBytes; }

struct CodesProduct {
  float* out;                  // [T, N]
  const std::uint8_t* x;       // [T, K]; of each the lowest two bits count
  const std::uint8_t* weight;  // packed as above
  const float* scale;          // [N]
  const float* bias;           // [N] or nullptr
  std::uint8_t* workspace;     // rows of x for one turn, padded
  std::int64_t out_stride;     // elements
  std::int64_t x_stride;       // bytes
  std::int64_t num_tokens, num_rows, k;
  std::uint8_t entry[16];  // products less the least of them
  int least, range;        // of the products; range is the largest entry
};

// Computes tokens [first, last) of outputs [begin, end), before the function.
using CodesRows = void (*)(const CodesProduct&, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end);
void codes_multiply(const Call& call, CodesRows rows, QuantLoop function);

}  // namespace netwright
