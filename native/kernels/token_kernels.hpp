// rms_norm, quantize_rows and glu: one row at a time, in chunks of 256 that end in fp32 or int8 activations.
// Included once by each instruction set's file.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/float_function.hpp"
#include "kernels/quant_activation.hpp"
#include "kernels/quant_blocks.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

constexpr int kChunk = 256;

NETWRIGHT_INLINE const float* row_of(const Operand& operand, std::int64_t row) {
  return reinterpret_cast<const float*>(operand.data + row * operand.stride[0]);
}

// Where a chunk is computed before it is quantised; straight into the row when it stays fp32.
NETWRIGHT_INLINE float* chunk_target(const Operand& out, std::int64_t row, std::int64_t first, float* scratch) {
  if (out.format != Format::fp32) return scratch;
  return reinterpret_cast<float*>(out.data + row * out.stride[0]) + first;
}

NETWRIGHT_INLINE void finish_chunk(const Operand& out, std::int64_t row, std::int64_t first, int count, const float* x) {
  if (out.format == Format::fp32) return;
  quantize_piece(x, first, count, out.format, out.data + row * out.stride[0], out.shape[1]);
}

// In double, where a product of two floats is exact: the same bits in both instruction sets.
float inverse_rms(const float* x, std::int64_t k, double epsilon) {
  double lane[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= k; i += 8)
    for (int j = 0; j < 8; ++j) lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (int j = 0; i < k; ++i, ++j) lane[j] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const double sum = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  return static_cast<float>(1.0 / std::sqrt(sum / static_cast<double>(k) + epsilon));
}

}  // namespace

void rms_norm(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const auto weight = reinterpret_cast<const float*>(call.operand[2].data);
  const std::int64_t k = x.shape[1];
  const auto [begin, end] = piece(call, x.shape[0]);
  alignas(32) float scratch[kChunk];
  for (std::int64_t row = begin; row < end; ++row) {
    const float* from = row_of(x, row);
    const float factor = inverse_rms(from, k, call.real(0));
    for (std::int64_t first = 0; first < k; first += kChunk) {
      const int count = static_cast<int>(std::min<std::int64_t>(kChunk, k - first));
      float* to = chunk_target(out, row, first, scratch);
      for (int i = 0; i < count; ++i) to[i] = from[first + i] * factor * weight[first + i];
      finish_chunk(out, row, first, count, to);
    }
  }
}

void quantize_rows(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const std::int64_t k = x.shape[1], chunks = (k + kChunk - 1) / kChunk;
  const auto [begin, end] = piece(call, x.shape[0] * chunks);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t row = unit / chunks, first = unit % chunks * kChunk;
    if (x.format == Format::act8x256) {
      const Activation256 from(x.data + row * x.stride[0], k);
      table_block_256(from.q + first, from.scale[first / 256], first / 256, out.data + row * out.stride[0], k);
    } else {
      finish_chunk(out, row, first, static_cast<int>(std::min<std::int64_t>(kChunk, k - first)), row_of(x, row) + first);
    }
  }
}

void glu(const Call& call) {
  const Operand &out = call.operand[0], &gate = call.operand[1], &up = call.operand[2];
  const std::int64_t k = gate.shape[1];
  const FunctionLoop function = function_loop(static_cast<Function>(call.parameter[0]));
  const auto alpha = static_cast<float>(call.real(1)), beta = static_cast<float>(call.real(2));
  const std::int64_t chunks = (k + kChunk - 1) / kChunk;
  const auto [begin, end] = piece(call, gate.shape[0] * chunks);
  alignas(32) float gated[kChunk];
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t row = unit / chunks, first = unit % chunks * kChunk;
    const int count = static_cast<int>(std::min<std::int64_t>(kChunk, k - first));
    function(gated, row_of(gate, row) + first, count, alpha, beta);
    const float* other = row_of(up, row) + first;
    float* to = chunk_target(out, row, first, gated);
    for (int i = 0; i < count; ++i) to[i] = gated[i] * other[i];
    finish_chunk(out, row, first, count, to);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
