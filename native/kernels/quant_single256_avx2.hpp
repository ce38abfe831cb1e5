// One token and formats of 256 elements: see quant_single_avx2.hpp. A row's partial sums fill a register of their own.
#pragma once

#include "kernels/quant_single_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

NETWRIGHT_INLINE __m256i bytes32(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }

// The int32 total of each of eight rows, rows in order.
NETWRIGHT_INLINE __m256i row_totals(const __m256i (&row)[8]) {
  __m256i pair[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    pair[i] = _mm256_add_epi32(_mm256_permute2x128_si256(row[i], row[i + 4], 0x20),
                               _mm256_permute2x128_si256(row[i], row[i + 4], 0x31));
  return total_dwords(pair);
}

// 128 elements of a row in 32 bytes: fields 0 and 2 as they are, 1 and 3 four times too large and apart.
NETWRIGHT_INLINE void two_bit_dots(Bytes at, const __m256i (&x)[4], __m256i& plain, __m256i& fourfold) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), later = _mm256_srli_epi16(raw, 4);
  plain = _mm256_add_epi16(_mm256_maddubs_epi16(bits(raw, 3), x[0]), _mm256_maddubs_epi16(bits(later, 3), x[2]));
  fourfold = _mm256_add_epi16(_mm256_maddubs_epi16(bits(raw, 12), x[1]), _mm256_maddubs_epi16(bits(later, 12), x[3]));
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::tq2_0>& panel) {
  __m256i x[2][4];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half)
#pragma GCC unroll 4
    for (int f = 0; f < 4; ++f)
      x[half][f] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + half * 128 + f * 32));
  const auto row = [&x, at, stride](int i) __attribute__((always_inline)) {
    __m256i plain[2], fourfold[2];
    two_bit_dots(at + i * stride, x[0], plain[0], fourfold[0]);
    two_bit_dots(at + i * stride + 32, x[1], plain[1], fourfold[1]);
    const __m256i quarter = _mm256_srai_epi16(_mm256_add_epi16(fourfold[0], fourfold[1]), 2);
    return _mm256_add_epi16(_mm256_add_epi16(plain[0], plain[1]), quarter);
  };
  __m256i sum[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i low = row(i), high = row(i + 4);
    sum[i] = _mm256_add_epi16(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
  }
  panel.scale = halves<1>(heads(at + 62, stride));
  const __m256i low = _mm256_madd_epi16(fold_words(sum[0], sum[1]), ones());
  const __m256i high = _mm256_madd_epi16(fold_words(sum[2], sum[3]), ones());
  return _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
}

// Word `at` of each half, in all words of that half.
NETWRIGHT_INLINE __m256i word_of_half(__m256i words, int at) {
  return _mm256_shuffle_epi8(words, _mm256_set1_epi16(static_cast<std::int16_t>((2 * at + 1) << 8 | 2 * at)));
}

NETWRIGHT_INLINE __m256i scaled_dot(__m256i weights, const std::int8_t* q, __m256i scale) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(weights, bytes32(q)), scale);
}

// `offset` stays 0: it is taken off row by row.
NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const Activation256& x, std::int64_t block,
                                     Panel<Format::q6_k>& panel, __m256i& offset) {
  const std::int8_t* q = x.q + block * 256;
  const __m256i sums = bytes32(x.sum + block * 16);
  const __m128i even_odd = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  __m256i row[8];
#pragma GCC unroll 1
  for (int i = 0; i < 8; ++i) {
    const Bytes from = at + i * stride;
    const __m128i scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 192));
    const __m256i apart = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scales, even_odd));
    const __m256i zero_points = _mm256_slli_epi32(_mm256_madd_epi16(_mm256_cvtepi8_epi16(scales), sums), 5);
    __m256i total = _mm256_sub_epi32(_mm256_setzero_si256(), zero_points);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m256i first = bytes32(from + half * 64), second = bytes32(from + half * 64 + 32);
      const __m256i high = bytes32(from + 128 + half * 32);
      const __m256i quarter[4] = {_mm256_or_si256(bits(first, 15), bits(_mm256_slli_epi16(high, 4), 48)),
                                  _mm256_or_si256(bits(second, 15), bits(_mm256_slli_epi16(high, 2), 48)),
                                  _mm256_or_si256(field<4>(first, 15), bits(high, 48)),
                                  _mm256_or_si256(field<4>(second, 15), bits(_mm256_srli_epi16(high, 2), 48))};
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const int chunk = half * 4 + j;
        total = _mm256_add_epi32(total, scaled_dot(quarter[j], q + chunk * 32, word_of_half(apart, chunk)));
      }
    }
    row[i] = total;
  }
  panel.scale = halves<1>(heads(at + 206, stride));
  offset = _mm256_setzero_si256();
  return row_totals(row);
}

// Six-bit scales in the low half's words and minimums in the high half's, of q4_k and q5_k.
NETWRIGHT_INLINE __m256i six_bit_words(Bytes at) {
  std::uint32_t word[3];
  __builtin_memcpy(word, at, 12);
  const std::uint32_t low = 0x0f0f0f0f, six = 0x3f3f3f3f, two = 0x03030303;
  const auto dword = [](std::uint32_t value) { return static_cast<int>(value); };
  return _mm256_cvtepu8_epi16(_mm_setr_epi32(dword(word[0] & six), dword((word[2] & low) | (word[0] >> 6 & two) << 4),
                                             dword(word[1] & six), dword((word[2] >> 4 & low) | (word[1] >> 6 & two) << 4)));
}

// What q4_k and q5_k share: rows by `dot`(row, scales), minimums times the sums of 32 activations.
template <class P, class Dot>
NETWRIGHT_INLINE __m256i single_pairs(Bytes at, std::int64_t stride, const Activation256& x, std::int64_t block, P& panel,
                                      __m256i& offset, Dot dot) {
  const __m256i sums = bytes32(x.sum + block * 16);
  const __m128i pair_sums = _mm_hadd_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  __m256i row[8];
  __m128i minimums[8];
#pragma GCC unroll 1
  for (int i = 0; i < 8; ++i) {
    const __m256i words = six_bit_words(at + i * stride + 4);
    minimums[i] = _mm_madd_epi16(_mm256_extracti128_si256(words, 1), pair_sums);
    row[i] = dot(at + i * stride, _mm256_permute2x128_si256(words, words, 0));
  }
  __m256i both[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) both[i] = _mm256_set_m128i(minimums[i + 4], minimums[i]);
  offset = total_dwords(both);
  both_halves(heads(at, stride), panel.scale, panel.minimum);
  return row_totals(row);
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const Activation256& x, std::int64_t block,
                                     Panel<Format::q4_k>& panel, __m256i& offset) {
  const std::int8_t* q = x.q + block * 256;
  return single_pairs(at, stride, x, block, panel, offset, [q](Bytes from, __m256i scales) __attribute__((always_inline)) {
    __m256i total = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      const __m256i raw = bytes32(from + 16 + pair * 32);
      total = _mm256_add_epi32(total, scaled_dot(field<0>(raw, 15), q + pair * 64, word_of_half(scales, 2 * pair)));
      total = _mm256_add_epi32(total, scaled_dot(field<4>(raw, 15), q + pair * 64 + 32, word_of_half(scales, 2 * pair + 1)));
    }
    return total;
  });
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const Activation256& x, std::int64_t block,
                                     Panel<Format::q5_k>& panel, __m256i& offset) {
  const std::int8_t* q = x.q + block * 256;
  return single_pairs(at, stride, x, block, panel, offset, [q](Bytes from, __m256i scales) __attribute__((always_inline)) {
    const __m256i high = bytes32(from + 16), up = _mm256_slli_epi16(high, 4);
    __m256i total = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      const __m256i raw = bytes32(from + 48 + pair * 32);
      // Bits 2 pair and 2 pair + 1 of the mask, brought to bit 4.
      const __m256i first = pair < 2 ? _mm256_srli_epi16(up, 2 * pair) : _mm256_srli_epi16(high, 2 * pair - 4);
      const __m256i second = pair < 2 ? _mm256_srli_epi16(up, 2 * pair + 1) : _mm256_srli_epi16(high, 2 * pair - 3);
      const __m256i low = _mm256_or_si256(field<0>(raw, 15), bits(first, 16));
      const __m256i late = _mm256_or_si256(field<4>(raw, 15), bits(second, 16));
      total = _mm256_add_epi32(total, scaled_dot(low, q + pair * 64, word_of_half(scales, 2 * pair)));
      total = _mm256_add_epi32(total, scaled_dot(late, q + pair * 64 + 32, word_of_half(scales, 2 * pair + 1)));
    }
    return total;
  });
}

// sum += one block of eight rows, turned by nobody.
template <Format F>
NETWRIGHT_INLINE __m256 add_single(Bytes at, std::int64_t stride, const std::byte* row, std::int64_t k, std::int64_t block,
                                   __m256 sum) {
  Panel<F> panel;
  if constexpr (F == Format::q4_k || F == Format::q5_k || F == Format::q6_k) {
    const Activation256 x(row, k);
    __m256i offset;
    const __m256i dot = single_dots(at, stride, x, block, panel, offset);
    return add_integers(panel, x.scale[block], dot, offset, sum);
  } else {
    const auto q = reinterpret_cast<const std::int8_t*>(row) + block * Trait<F>::kBlock;
    const __m256i dot = single_dots(at, stride, q, panel);
    return add_block(panel, row, k, block, dot, sum);
  }
}

// Formats with a single_dots; the others turn their panels for one token too.
template <Format F>
inline constexpr bool kSingle = F != Format::q2_k && F != Format::q3_k && F != Format::tq1_0;

}  // namespace netwright::avx2
#endif
