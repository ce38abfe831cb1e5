// What the check of matmul_quant hands to its kernels: plain pointers and element strides.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vm/opcode.hpp"

namespace netwright {

struct QuantProduct {
  float* out;                // [T, N]
  const std::byte* x;        // [T] activation rows
  const std::uint8_t* weight;  // [N] rows of blocks
  const float* bias;         // [N] or nullptr
  const float* residual;     // [T, N] or nullptr; may be `out`
  std::int64_t out_stride;       // elements
  std::int64_t x_stride;         // bytes
  std::int64_t weight_stride;    // bytes
  std::int64_t residual_stride;  // elements
  std::int64_t num_tokens, num_rows, k;
  Format format;
  std::byte* workspace;
};

// Columns [begin, end) of `out`, bias and residual included; none depends on another, whatever the cut.
using QuantRows = void (*)(const QuantProduct&, std::int64_t begin, std::int64_t end);
using QuantLoop = void (*)(float* out, const float* x, std::int64_t count, float alpha, float beta);
// This call's piece by `rows`, then by the fused function.
void quant_multiply(const Call& call, QuantRows rows, QuantLoop function);
// The same where a piece is a section of each of eight equal runs of rows: `runs` takes rows [begin, end) of each, and
// `rows` the few left over. Pieces that one thread takes in turn go on where its last one ended in all eight.
void quant_multiply_runs(const Call& call, QuantRows runs, QuantRows rows, QuantLoop function);
void quant_rows_scalar(const QuantProduct& product, std::int64_t begin, std::int64_t end);
void quant_rows_avx2(const QuantProduct& product, std::int64_t begin, std::int64_t end);

// Up to this many tokens, weights are unpacked into registers and no workspace is needed. Bytes need so little of it
// that doing it again for every four tokens stays cheaper than storing them widened.
constexpr std::int64_t most_in_registers(Format format) { return format == Format::q8_0 ? 24 : 8; }
// Bytes of weights that meet several turns of four tokens, one after the other.
inline constexpr std::int64_t kSomeRowsBytes = 96 << 10;
// An upper bound on the bytes of eight unpacked rows of one block.
constexpr std::int64_t panel_bytes(std::int64_t block_elements) { return block_elements == 32 ? 12 * 32 : 90 * 32; }
// q8_0 meets many tokens in int16: bytes of eight widened rows of one block, and tokens that are widened at once.
inline constexpr std::int64_t kWidePanelBytes = 17 * 32;
inline constexpr std::int64_t kWideTokens = 128;

}  // namespace netwright
