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

// Keeps the compiler from turning a chain of additions into a tree, which spills every product.
NETWRIGHT_INLINE __m256i in_order(__m256i value) {
  __asm__("" : "+x"(value));
  return value;
}

// Sums over one block of q * activation, eight rows in int32, before zero points and offsets: kPanels panels by
// kTokens columns at once, so that each load is used several times.
template <int kPanels, int kTokens, Format F>
NETWRIGHT_INLINE void integer_dots(const Panel<F>* const (&panel)[kPanels], const std::int8_t* const (&q)[kTokens],
                                   __m256i (&total)[kPanels][kTokens]) {
  using T = Trait<F>;
  constexpr int kGroup = T::kGroup == 0 ? 1 : T::kGroup;
  const auto run = [&](int first) __attribute__((always_inline)) {
    __m256i sum[kPanels][kTokens] = {};
#pragma GCC unroll 8
    for (int s = first; s < first + T::kSteps; ++s) {
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const __m256i x = four_bytes(q[t] + 4 * s);
#pragma GCC unroll 2
        for (int p = 0; p < kPanels; ++p) {
          const __m256i w = panel[p]->w[s];
          const __m256i product = F == Format::q8_0 ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
                                                    : _mm256_maddubs_epi16(w, x);
          sum[p][t] = T::kSteps <= 8 && s == first ? product : in_order(_mm256_add_epi16(sum[p][t], product));
        }
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p) {
        const __m256i factor = T::kGroup == 0 ? _mm256_set1_epi16(1) : panel[p]->sub[4 * first / kGroup];
        const __m256i wide = _mm256_madd_epi16(sum[p][t], factor);
        total[p][t] = T::kBlock == 32 && first == 0 ? wide : in_order(_mm256_add_epi32(total[p][t], wide));
      }
  };
  if constexpr (T::kBlock == 32) {
#pragma GCC unroll 8
    for (int first = 0; first < 8; first += T::kSteps) run(first);
  } else {  // too long to unroll; its panel lies in memory anyway
    for (auto& group : total)
      for (auto& each : group) each = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (int first = 0; first < 64; first += T::kSteps) run(first);
  }
}

// The sum of all eight lanes, in each.
NETWRIGHT_INLINE __m256i everywhere(__m256i lanes) {
  lanes = _mm256_add_epi32(lanes, _mm256_permute2x128_si256(lanes, lanes, 1));
  lanes = _mm256_add_epi32(lanes, _mm256_shuffle_epi32(lanes, 0x4e));
  return _mm256_add_epi32(lanes, _mm256_shuffle_epi32(lanes, 0xb1));
}

// The same for 256 elements, from the integers of the products and of the offsets.
template <class P>
NETWRIGHT_INLINE __m256 add_integers(const P& panel, float column_scale, __m256i dot, __m256i offset, __m256 sum) {
  constexpr bool minimum = Trait<P::kFormat>::kMinimum;
  if constexpr (!minimum) dot = _mm256_sub_epi32(dot, offset);
  const __m256 scale = _mm256_set1_ps(column_scale);
  sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(panel.scale, scale), sum);
  if constexpr (minimum)
    sum = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(offset), _mm256_mul_ps(panel.minimum, scale), sum);
  return sum;
}

// sum += the block's value, for one column, from its integers.
template <class P>
NETWRIGHT_INLINE __m256 add_block(const P& panel, const std::byte* row, std::int64_t k, std::int64_t block,
                                  __m256i dot, __m256 sum) {
  using T = Trait<P::kFormat>;
  if constexpr (T::kBlock == 32) {
    const Activation32 x(row, k);
    if constexpr (T::kZero == 8) dot = _mm256_sub_epi32(dot, _mm256_slli_epi32(_mm256_set1_epi32(x.sum[block]), 3));
    if constexpr (T::kZero == 16) dot = _mm256_sub_epi32(dot, _mm256_slli_epi32(_mm256_set1_epi32(x.sum[block]), 4));
    const __m256 scale = _mm256_mul_ps(panel.scale, _mm256_set1_ps(x.scale[block]));
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sum);
    if constexpr (T::kMinimum) sum = _mm256_fmadd_ps(panel.minimum, _mm256_set1_ps(x.minimum[block]), sum);
    return sum;
  } else {
    const Activation256 x(row, k);
    __m256i offset = _mm256_setzero_si256();
    const auto* pairs = reinterpret_cast<const std::int8_t*>(x.sum + block * 16);
    if constexpr (T::kOffset) {
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i)
        offset = _mm256_add_epi32(offset, _mm256_madd_epi16(panel.offset[i], four_bytes(pairs + 4 * i)));
    } else if constexpr (T::kZero == 1) {
      offset = everywhere(_mm256_madd_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs)), _mm256_set1_epi16(1)));
    }
    return add_integers(panel, x.scale[block], dot, offset, sum);
  }
}

}  // namespace netwright::avx2
#endif
