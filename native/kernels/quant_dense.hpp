// matmul_dense: float weights as shipped, rows of K. Eight partial sums along K for every output, folded in one
// order, so that a result depends only on its row and column. Included once by each instruction set's file.
#pragma once

#include <algorithm>

#include "kernels/float_function.hpp"
#include "kernels/quant_dense_product.hpp"
#include "kernels/quant_opcodes.hpp"
#include "kernels/token_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

template <Format F>
NETWRIGHT_INLINE Vec load_weight(const std::byte* row, std::int64_t index) {
  if constexpr (F == Format::fp32) return load(reinterpret_cast<const float*>(row) + index);
  else if constexpr (F == Format::fp16) return load_half(reinterpret_cast<const std::uint16_t*>(row) + index);
  else {
#if defined(__AVX2__)
    const auto at = reinterpret_cast<const __m128i*>(row + index * 2);
    return Vec(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(at)), 16)));
#else
    Vec value{};
    for (int i = 0; i < kLanes; ++i) value[i] = bfloat_to_float(reinterpret_cast<const std::uint16_t*>(row)[index + i]);
    return value;
#endif
  }
}

template <Format F>
NETWRIGHT_INLINE float one_weight(const std::byte* row, std::int64_t index) {
  if constexpr (F == Format::fp32) return reinterpret_cast<const float*>(row)[index];
  else if constexpr (F == Format::fp16) return half_to_float(reinterpret_cast<const std::uint16_t*>(row)[index]);
  else return bfloat_to_float(reinterpret_cast<const std::uint16_t*>(row)[index]);
}

// kRows rows of the weight times kTokens tokens.
template <Format F, int kRows, int kTokens>
void dense_tile(const DenseProduct& product, std::int64_t n, std::int64_t t) {
  Vec sum[kRows][kTokens] = {};
  const std::byte* row[kRows];
  const float* x[kTokens];
  for (int r = 0; r < kRows; ++r) row[r] = product.weight + (n + r) * product.weight_stride;
  for (int c = 0; c < kTokens; ++c) x[c] = product.x + (t + c) * product.x_stride;
  std::int64_t k = 0;
  for (; k + kLanes <= product.k; k += kLanes) {
    Vec weight[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) weight[r] = load_weight<F>(row[r], k);
#pragma GCC unroll 4
    for (int c = 0; c < kTokens; ++c) {
      const Vec value = load(x[c] + k);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sum[r][c] = fma(weight[r], value, sum[r][c]);
    }
  }
  if (k < product.k) {
    const int left = static_cast<int>(product.k - k);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Vec weight{};
      for (int i = 0; i < left; ++i) weight[i] = one_weight<F>(row[r], k + i);
#pragma GCC unroll 4
      for (int c = 0; c < kTokens; ++c) sum[r][c] = fma(weight, load_part(x[c] + k, left), sum[r][c]);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < kTokens; ++c)
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      float value = sum_lanes(sum[r][c]);
      if (product.bias != nullptr) value += product.bias[n + r];
      if (product.residual != nullptr) value += product.residual[(t + c) * product.residual_stride + n + r];
      product.out[(t + c) * product.out_stride + n + r] = value;
    }
}

template <Format F, int kRows>
void dense_tokens(const DenseProduct& product, std::int64_t n, std::int64_t begin, std::int64_t end) {
  std::int64_t t = begin;
  for (; t + 3 <= end; t += 3) dense_tile<F, kRows, 3>(product, n, t);
  if (end - t == 2) dense_tile<F, kRows, 2>(product, n, t);
  if (end - t == 1) dense_tile<F, kRows, 1>(product, n, t);
}

// Tokens by as many as stay in the second cache while every row passes.
template <Format F>
void dense_rows(const DenseProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t block = std::max<std::int64_t>(6, (std::int64_t{160} << 10) / (product.k * 4 + 1) / 3 * 3);
  for (std::int64_t t = 0; t < product.num_tokens; t += block) {
    const std::int64_t last = std::min(product.num_tokens, t + block);
    std::int64_t n = begin;
    for (; n + 4 <= end; n += 4) dense_tokens<F, 4>(product, n, t, last);
    for (; n < end; ++n) dense_tokens<F, 1>(product, n, t, last);
  }
}

}  // namespace

void matmul_dense(const Call& call) {
  const DenseProduct product(call);
  const auto [begin, end] = piece(call, product.num_rows, 16);
  if (begin == end) return;
  switch (call.operand[2].format) {
    case Format::fp32: dense_rows<Format::fp32>(product, begin, end); break;
    case Format::fp16: dense_rows<Format::fp16>(product, begin, end); break;
    default: dense_rows<Format::bf16>(product, begin, end); break;
  }
  const auto function = static_cast<Function>(call.parameter[0]);
  if (function == Function::identity) return;
  const FunctionLoop loop = function_loop(function);
  for (std::int64_t t = 0; t < product.num_tokens; ++t) {
    float* out = product.out + t * product.out_stride + begin;
    loop(out, out, end - begin, static_cast<float>(call.real(1)), static_cast<float>(call.real(2)));
  }
}

}  // namespace netwright::NETWRIGHT_ISA
