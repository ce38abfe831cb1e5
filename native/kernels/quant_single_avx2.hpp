// One token: nothing is turned. Each row's bytes meet the activations as they lie, and the partial sums of eight
// rows are folded together at the end of a block, so that a lane is a row again. The integers are exact, and
// what follows them is add_block, as for many tokens: the same bits.
#pragma once

#include "kernels/quant_product_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

// Sums of neighbours: `a` and `b` hold what is to be added, dword by dword, in either width of lane.
NETWRIGHT_INLINE __m256i fold_words(__m256i a, __m256i b) {
  return _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}
NETWRIGHT_INLINE __m256i fold_dwords(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}
NETWRIGHT_INLINE __m256i ones() { return _mm256_set1_epi16(1); }

// Rows i and i + 4 lie in the halves of v[i]; the int32 total of each, rows in order.
NETWRIGHT_INLINE __m256i total_dwords(const __m256i (&v)[4]) {
  const __m256i low = fold_dwords(v[0], v[1]), high = fold_dwords(v[2], v[3]);
  return _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
}
// The same of int16, where four of them never leave int16.
NETWRIGHT_INLINE __m256i total_words(const __m256i (&v)[4]) {
  const __m256i low = fold_words(v[0], v[1]), high = fold_words(v[2], v[3]);
  return _mm256_madd_epi16(_mm256_add_epi16(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high)), ones());
}

// Sixteen bytes of rows `i` and i + 4.
NETWRIGHT_INLINE __m256i row_pair(Bytes at, std::int64_t stride, int i) {
  const auto low = reinterpret_cast<const __m128i*>(at + i * stride);
  const auto high = reinterpret_cast<const __m128i*>(at + (i + 4) * stride);
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)), _mm_loadu_si128(high), 1);
}
NETWRIGHT_INLINE __m256i twice(const std::int8_t* q) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q)));
}

// Four bytes of each of eight rows.
NETWRIGHT_INLINE __m256i heads(Bytes at, std::int64_t stride) {
  const auto four = [at, stride](int row) __attribute__((always_inline)) {
    std::int32_t dword;
    __builtin_memcpy(&dword, at + row * stride, 4);
    return dword;
  };
  const auto half = [&four](int row) __attribute__((always_inline)) {
    const __m128i a = _mm_insert_epi32(_mm_cvtsi32_si128(four(row)), four(row + 1), 1);
    const __m128i b = _mm_insert_epi32(_mm_cvtsi32_si128(four(row + 2)), four(row + 3), 1);
    return _mm_unpacklo_epi64(a, b);
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(half(0)), half(4), 1);
}

// The low and the high fp16 of eight dwords.
NETWRIGHT_INLINE void both_halves(__m256i dwords, __m256& low, __m256& high) {
  const __m256i pick = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  const __m256i apart = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(dwords, pick), 0xd8);
  low = _mm256_cvtph_ps(_mm256_castsi256_si128(apart));
  high = _mm256_cvtph_ps(_mm256_extracti128_si256(apart, 1));
}

// Thirty-two nibbles of each row; eight int16 a row, which four times 15 * 127 * 2 * 2 do not fill.
NETWRIGHT_INLINE void nibble_dots(Bytes at, std::int64_t stride, const std::int8_t* q, __m256i (&sum)[4]) {
  const __m256i low = twice(q), high = twice(q + 16);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i raw = row_pair(at, stride, i);
    sum[i] = _mm256_add_epi16(_mm256_maddubs_epi16(field<0>(raw, 15), low), _mm256_maddubs_epi16(field<4>(raw, 15), high));
  }
}

// One block of eight rows: its integers, and its scales into `panel`.
NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::q4_0>& panel) {
  __m256i sum[4];
  nibble_dots(at + 2, stride, q, sum);
  panel.scale = halves<0>(heads(at, stride));
  return total_words(sum);
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::q4_1>& panel) {
  __m256i sum[4];
  nibble_dots(at + 4, stride, q, sum);
  both_halves(heads(at, stride), panel.scale, panel.minimum);
  return total_words(sum);
}

// Thirty-two numbers of five bits of each row, the fifth ones in the four bytes at `high`: eight int32 a row.
NETWRIGHT_INLINE __m256i five_bit_dots(Bytes high, Bytes at, std::int64_t stride, const std::int8_t* q) {
  const __m256i low = twice(q), late = twice(q + 16);
  const __m256i bit = _mm256_set1_epi64x(static_cast<std::int64_t>(0x8040201008040201));
  const __m256i bytes01 = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  const __m256i bytes23 = _mm256_add_epi8(bytes01, _mm256_set1_epi8(2));
  const auto mask = [high, stride](int row) __attribute__((always_inline)) {
    std::int32_t dword;
    __builtin_memcpy(&dword, high + row * stride, 4);
    return _mm_set1_epi32(dword);
  };
  const auto fifth = [bit](__m256i spread) __attribute__((always_inline)) {
    return bits(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), 16);
  };
  __m256i sum[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i raw = row_pair(at, stride, i);
    const __m256i both = _mm256_set_m128i(mask(i + 4), mask(i));
    const __m256i first = _mm256_or_si256(field<0>(raw, 15), fifth(_mm256_shuffle_epi8(both, bytes01)));
    const __m256i second = _mm256_or_si256(field<4>(raw, 15), fifth(_mm256_shuffle_epi8(both, bytes23)));
    sum[i] = _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(first, low), _mm256_maddubs_epi16(second, late)), ones());
  }
  return total_dwords(sum);
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::q5_0>& panel) {
  panel.scale = halves<0>(heads(at, stride));
  return five_bit_dots(at + 2, at + 6, stride, q);
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::q5_1>& panel) {
  both_halves(heads(at, stride), panel.scale, panel.minimum);
  return five_bit_dots(at + 4, at + 8, stride, q);
}

NETWRIGHT_INLINE __m256i single_dots(Bytes at, std::int64_t stride, const std::int8_t* q, Panel<Format::q8_0>& panel) {
  const __m256i low = twice(q), high = twice(q + 16);
  const auto product = [](__m256i w, __m256i x) __attribute__((always_inline)) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)), ones());
  };
  __m256i sum[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    sum[i] = _mm256_add_epi32(product(row_pair(at + 2, stride, i), low), product(row_pair(at + 18, stride, i), high));
  panel.scale = halves<0>(heads(at, stride));
  return total_dwords(sum);
}

}  // namespace netwright::avx2
#endif
