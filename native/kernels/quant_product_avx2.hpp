// Panels times activation columns, in exact integers; then one fused multiply-add a block and column, in the
// order that quant_scalar.cpp defines. A result depends only on its row and its column.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/quant_unpack256_avx2.hpp"
#include "kernels/quant_unpack32_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

NETWRIGHT_INLINE __m256i four_bytes(const std::int8_t* at) {
  std::int32_t dword;
  __builtin_memcpy(&dword, at, 4);
  return _mm256_set1_epi32(dword);
}

// Sum over one block of q * activation, eight rows in int32, before zero points and offsets.
template <Format F>
NETWRIGHT_INLINE __m256i integer_dot(const Panel<F>& panel, const std::int8_t* q) {
  using T = Trait<F>;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i total = _mm256_setzero_si256();
#pragma GCC unroll 64
  for (int first = 0; first < T::kBlock / 4; first += T::kSteps) {
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 64
    for (int s = first; s < first + T::kSteps; ++s) {
      const __m256i x = four_bytes(q + 4 * s);
      const __m256i product = F == Format::q8_0
                                  ? _mm256_maddubs_epi16(_mm256_abs_epi8(panel.w[s]), _mm256_sign_epi8(x, panel.w[s]))
                                  : _mm256_maddubs_epi16(panel.w[s], x);
      sum = s == first ? product : _mm256_add_epi16(sum, product);
    }
    const __m256i factor = T::kGroup == 0 ? ones : panel.sub[4 * first / (T::kGroup == 0 ? 1 : T::kGroup)];
    const __m256i wide = _mm256_madd_epi16(sum, factor);
    total = first == 0 ? wide : _mm256_add_epi32(total, wide);
  }
  return total;
}

// sum += the block's value, for one column.
template <Format F>
NETWRIGHT_INLINE __m256 add_block(const Panel<F>& panel, const std::byte* row, std::int64_t k, std::int64_t block,
                                  __m256 sum) {
  using T = Trait<F>;
  if constexpr (T::kBlock == 32) {
    const Activation32 x(row, k);
    __m256i dot = integer_dot(panel, x.q + block * 32);
    if constexpr (T::kZero == 8) dot = _mm256_sub_epi32(dot, _mm256_slli_epi32(_mm256_set1_epi32(x.sum[block]), 3));
    if constexpr (T::kZero == 16) dot = _mm256_sub_epi32(dot, _mm256_slli_epi32(_mm256_set1_epi32(x.sum[block]), 4));
    const __m256 scale = _mm256_mul_ps(panel.scale, _mm256_set1_ps(x.scale[block]));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sum);
    if constexpr (T::kMinimum) sum = _mm256_fmadd_ps(panel.minimum, _mm256_set1_ps(x.minimum[block]), sum);
    return sum;
  } else {
    const Activation256 x(row, k);
    __m256i dot = integer_dot(panel, x.q + block * 256);
    __m256i offset = _mm256_setzero_si256();
    const auto* pairs = reinterpret_cast<const std::int8_t*>(x.sum + block * 16);
    if constexpr (T::kOffset || T::kZero == 1) {
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) {
        const __m256i factor = T::kOffset ? panel.offset[i] : _mm256_set1_epi16(1);
        offset = _mm256_add_epi32(offset, _mm256_madd_epi16(factor, four_bytes(pairs + 4 * i)));
      }
    }
    if constexpr (!T::kMinimum) dot = _mm256_sub_epi32(dot, offset);
    const __m256 scale = _mm256_set1_ps(x.scale[block]);
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(panel.scale, scale), sum);
    if constexpr (T::kMinimum)
      sum = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(offset), _mm256_mul_ps(panel.minimum, scale), sum);
    return sum;
  }
}

}  // namespace netwright::avx2
#endif
